"""`priorcraft compare DATA` and `priorcraft demo`."""

from pathlib import Path
from typing import Annotated, Any

from priorcraft.cli.options import Flag, Reading


def demo(
    *,
    out: Path = Path("priorcraft-demo"),
    seed: int = 0,
    quiet: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Fit a model of each family to handwritten digits, compare them, and show the report.

    Args:
        out: Folder for the runs and report.html; an earlier demo in it is replaced.
        seed: Of every random draw.
        quiet: No progress.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import TrainingBar

    with TrainingBar(quiet=quiet) as bar:
        answer = verbs.demo(out=out, seed=seed, listen=bar.named)
    show(answer, json)


def compare(
    data: str,
    *,
    models: str = "",
    minutes: float | None = None,
    steps: int | None = None,
    out: Path,
    seed: int = 0,
    reading: Reading | None = None,
    overwrite: Annotated[bool, Flag] = False,
    device: str = "auto",
    quiet: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Fit several models to the same data under one budget, and write a report.

    Args:
        data: A name from `priorcraft data`, a folder of images, or an .npz, .npy or .csv file.
        models: Names from `priorcraft models`, with commas; a choice of every family without it.
        minutes: Of training, shared among the models that train by gradient; 5 without --minutes and --steps.
        steps: Updates of each of these models, instead of minutes.
        out: Folder for the runs and report.html.
        seed: Of every random draw.
        overwrite: Replace an earlier comparison in --out.
        device: auto, cpu, cuda or mps.
        quiet: No progress.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import TrainingBar

    chosen = [name.strip() for name in models.split(",") if name.strip()]
    with TrainingBar(quiet=quiet) as bar:
        answer = verbs.compare(
            data,
            models=chosen,
            minutes=minutes,
            steps=steps,
            out=out,
            seed=seed,
            reading=reading.given() if reading else None,
            overwrite=overwrite,
            device=device,
            listen=bar.named,
        )
    show(answer, json)


def show(answer: dict[str, Any], json: bool) -> None:
    """The comparison as JSON or as a table, and where the report is."""
    from priorcraft.cli.show import print_json, print_table

    if json:
        print_json(answer)
        return
    print_table([row(model) for model in answer["models"]])
    if answer["classification"]:
        from priorcraft.cli.classify import row as classifier_row

        print_table([classifier_row(c["name"], c, c["kind"]) for c in answer["classification"]["classifiers"]])
        for note in answer["classification"]["notes"]:
            print(note)
    if answer["baselines"]:
        listed = ", ".join(f"{name} {bits:.3f}" for name, bits in answer["baselines"].items())
        print(f"baselines in bits/dim: {listed}")
    for note in answer["data"]["notes"]:
        print(f"data: {note}")
    print(f"{answer['seconds']:.0f} s in all. The report, with pictures: {answer['report']}")


def row(model: dict[str, Any]) -> dict[str, Any]:
    """One line of the table."""
    from priorcraft.report.verdicts import scored

    return {
        "model": model["name"],
        "family": model["family"],
        "bits/dim" if model["score"]["bits_per_dim"] is not None or model["score"]["nats"] is None else "nats": scored(
            model
        ),
        "fidelity": model["fidelity"],
        "told from real?": model["two_sample"]["verdict"],
        "copies": model["copies"]["verdict"],
        "fit s": model["fit_seconds"],
        "ms/sample": model["sample_ms"],
    }
