"""`priorcraft sample RUN` and `priorcraft score RUN`."""

from pathlib import Path
from typing import Annotated, Any

from priorcraft.cli.options import Asking, Count, Flag, Writing, label_of, tell


def sample(
    run: Path,
    *,
    n: Annotated[int, Count] = 16,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path,
    method: str = "auto",
    how: Writing | None = None,
) -> None:
    """Draw from a fitted model.

    Args:
        run: The run folder.
        n: How many samples.
        given: label=CLASS; without it the classes are drawn too.
        out: .npz for the numbers, .png for a picture, .csv for a table like the one that was fitted.
        method: Of a single autoregressive model: fast, jacobi, naive, or auto.
    """
    from priorcraft import verbs

    how = how or Writing()
    tell(verbs.sample(run, n, given=label_of(given), out=out, method=method, **how.shared()), json=how.json)


def score(
    run: Path,
    data: str | None = None,
    *,
    split: str = "test",
    samples: int = 64,
    limit: int | None = None,
    check: Annotated[bool, Flag] = False,
    order: str = "ensemble",
    how: Asking | None = None,
) -> None:
    """How probable rows are under a fitted model, and what kind of number that is.

    Args:
        run: The run folder.
        data: Other data of the same kind; the run's own without it.
        split: train, valid or test.
        samples: Draws of the importance-weighted bound, for approximate models: more draws, a tighter bound.
        limit: Score the first rows alone.
        check: Hold the bound of a few rows against a second, independent estimate (annealing).
        order: Of an autoregressive model: ensemble, raster, reverse, random, a permutation with commas, or several
            of them as an ensemble: raster+reverse, random:8.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json

    how, chosen = how or Asking(), {"split": split, "limit": limit, "order": order}
    answer = verbs.score(run, data, samples=samples, check=check, **chosen, **how.shared())
    print_json(answer) if how.json else show_score(answer)


def show_score(answer: dict[str, Any]) -> None:
    """The score, with the sign that says what kind of number it is; for a bound, a line for each k."""
    from priorcraft.cli.show import print_answer, print_table, signed, signs, unit_of

    bounds, checked = answer.get("bounds", []), answer.get("check")
    sign = signs()[answer["kind"]]
    print_answer({key: value for key, value in signed(answer).items() if key not in ("bounds", "check")})
    if bounds:
        error = {"standard_error": f"standard error, {unit_of(answer)}"}
        lines = [line | {"nats": f"{sign} {line['nats']:.3f}"} for line in bounds]
        lines = [{error.get(key) or key: value for key, value in line.items()} for line in lines]
        print_table(lines, title="fewer draws, looser bound")
    if checked:
        print(f"check of {checked['rows']} rows: {checked['verdict']}")
