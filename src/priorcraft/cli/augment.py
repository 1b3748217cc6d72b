"""`priorcraft augment DATA RUN`."""

from pathlib import Path
from typing import Annotated, Any

from priorcraft.cli.options import Flag, Writing


def augment(
    data: str,
    run: Path,
    *,
    per_class: int,
    balance: Annotated[bool, Flag] = False,
    out: Path,
    classifier: str = "svm",
    repeats: int = 5,
    sizes: Annotated[bool, Flag] = False,
    only_if_helps: Annotated[bool, Flag] = False,
    how: Writing | None = None,
) -> None:
    """Add samples to a training set, and prove whether that helps.

    Args:
        data: The data to add to, with labels.
        run: The run folder of a model that was fitted to them.
        per_class: Samples to add to each class.
        balance: Instead, fill each class up to --per-class rows.
        out: .npz, or a new folder for images; of a table also a .csv of the added rows alone.
        classifier: logistic, svm, boosting or network: who shall gain.
        repeats: Paired draws of the added rows.
        sizes: Measure the gain with fewer samples, too.
        only_if_helps: Write nothing unless it helps.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json

    how = how or Writing()
    answer = verbs.augment(
        data,
        run,
        per_class=per_class,
        balance=balance,
        out=out,
        classifier=classifier,
        repeats=repeats,
        sizes=sizes,
        only_if_helps=only_if_helps,
        **how.shared(),
    )
    print_json(answer) if how.json else show(answer)


def show(answer: dict[str, Any]) -> None:
    """The proof as a table, and the verdict as a sentence."""
    from priorcraft.cli.show import print_table

    print_table([row | {"interval": between(row["interval"])} for row in answer["table"]])
    gain, classical = answer["gain"], answer["over_classical"]
    print(f"Verdict: {answer['verdict']}. Gain {gain['mean']:+.3f} over real rows alone ({between(gain['interval'])}), "
          f"{classical['mean']:+.3f} over classical augmentation ({between(classical['interval'])}).")  # fmt: skip
    for row in answer["sizes"]:
        print(f"with {row['n']} samples: {row['mean']:+.3f} ({between(row['interval'])})")
    print(f"rule: {answer['rule']}; " + ", ".join(f"{k} {v}" for k, v in answer["refused"].items()))
    print(f"written: {answer['n']} samples, {answer['out']}" if answer["out"] else "nothing was written.")


def between(interval: list[float] | None) -> str | None:
    """An interval in a cell."""
    return None if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"
