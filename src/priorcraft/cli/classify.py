"""`priorcraft classify RUN [DATA]`."""

from pathlib import Path
from typing import Annotated, Any

from priorcraft.cli.options import Flag, Writing


def classify(
    run: Path,
    data: str | None = None,
    *,
    split: str = "test",
    prior: str | None = None,
    calibrate: Annotated[bool, Flag] = False,
    risk: float | None = None,
    deform: Annotated[bool, Flag] = False,
    beside: str = "",
    out: Path | None = None,
    plot: Path | None = None,
    curve: Path | None = None,
    samples: int = 64,
    how: Writing | None = None,
) -> None:
    """Classify rows by Bayes' theorem, with p(x) beside p(c | x).

    Args:
        run: The run folder of a model that was fitted with labels.
        data: Other data of the same kind; the run's own without it.
        split: train, valid or test.
        prior: In the place of the model's p(c): uniform, estimate, CLASS=P with commas, or P,P,P in their order.
        calibrate: Temper the answers on the validation rows.
        risk: Answer only where at most this share of answers is wrong.
        deform: Average exactly over shifts and shears of a pixel.
        beside: Discriminative classifiers to compare with: logistic, svm, boosting, network, with commas.
        out: .npz of log_posterior, log_evidence and prediction.
        plot: .png of how often which confidence is right.
        curve: .png of how much both kinds of classifier learn from how many labels.
        samples: Draws of the bound, for approximate models.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json

    how = how or Writing()
    answer = verbs.classify(
        run,
        data,
        split=split,
        prior=prior_of(prior),
        calibrate=calibrate,
        risk=risk,
        deform=deform,
        beside=[name.strip() for name in beside.split(",") if name.strip()],
        out=out,
        plot=plot,
        curve=curve,
        samples=samples,
        **how.shared(),
    )
    print_json(answer) if how.json else show(answer)


def prior_of(text: str | None) -> Any:
    """A word, {class: p}, or a list of p, as it was written."""
    from priorcraft.cli.show import settings_of
    from priorcraft.errors import UsageError

    if text is None or text in ("estimate", "uniform"):
        return text
    parts = [part.strip() for part in text.split(",")]
    try:
        if "=" in text:
            return {name: float(p) for name, p in settings_of(parts).items()}
        return [float(part) for part in parts]
    except ValueError:
        raise UsageError(f"prior must be uniform, estimate, CLASS=P,CLASS=P or P,P, not '{text}'.") from None


def show(answer: dict[str, Any]) -> None:
    """The classifiers as a table, and what else there is to say."""
    from priorcraft.classifiers.curve import by_name
    from priorcraft.cli.show import print_table

    print_table([row("Bayes' theorem", answer, answer["kind"]), *(row(b["name"], b, "-") for b in answer["beside"])])
    print("prior: " + ", ".join(f"{name} {p:.3g}" for name, p in answer["prior"].items()))
    for name, found in [("Bayes' theorem", answer), *((b["name"], b) for b in answer["beside"])]:
        settled(name, found)
    for name, found in by_name(answer["curve"] or []).items():
        print(
            f"{name}, accuracy by labels a class: " + ", ".join(f"{r['per_class']}: {r['accuracy']:.3f}" for r in found)
        )
    for path in [answer["out"], *answer["pictures"]]:
        if path:
            print(f"written: {path}")


def settled(name: str, found: dict[str, Any]) -> None:
    """What was fitted on the validation rows, and how many rows are answered for it."""
    if found["temperature"] is not None:
        print(f"{name}, temperature: {found['temperature']:.3g}")
    if found["abstention"] is not None:
        told = found["abstention"]
        risk = "" if told["risk"] is None else f", {told['risk']:.2%} of these wrong"
        print(
            f"{name}, answered: {told['answered']:.1%} of the rows{risk} (confidence at least {told['threshold']:.3g})"
        )


def row(name: str, found: dict[str, Any], kind: str) -> dict[str, Any]:
    """One line of the table."""
    interval = found["interval"] and f"{found['interval'][0]:.3f} to {found['interval'][1]:.3f}"
    kept = {key: found[key] for key in ("accuracy", "log_loss", "calibration_error", "n")}
    return {"classifier": name, "accuracy": kept.pop("accuracy"), "95 % interval": interval, **kept, "density": kind}


def unusual(
    run: Path,
    data: str | None = None,
    *,
    against: str | None = None,
    rate: float = 0.3,
    out: Path | None = None,
    how: Writing | None = None,
) -> None:
    """How unusual rows are: -log p(x), typicality, and likelihood ratio; higher is more unusual.

    Args:
        run: The run folder of an exact model.
        data: Rows to score; the run's own test rows without it.
        against: Rows that do not belong, to measure each score on.
        rate: Share of entries mutated for the background model of the ratio.
        out: .npz of the three scores.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json, print_table

    how = how or Writing()
    answer = verbs.unusual(run, data, against=against, rate=rate, out=out, **how.shared())
    if how.json:
        print_json(answer)
        return
    areas = answer["auroc"] or {}
    print_table([{"score": s, "mean": mean, "AUROC": areas.get(s)} for s, mean in answer["mean"].items()])
    print("the most unusual rows by the ratio, numbered from 0:", *answer["most"])
    print(f"background of the ratio: {answer['background']}")
