"""`priorcraft fit DATA MODEL`."""

from pathlib import Path
from typing import Annotated

from priorcraft.cli.options import Flag, Reading


def fit(
    data: str | None = None,
    model: str | None = None,
    *,
    out: Path,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    reading: Reading | None = None,
    set: Annotated[list[str] | None, Flag] = None,
    pairs: Annotated[bool, Flag] = False,
    domains: Annotated[bool, Flag] = False,
    reverse: Annotated[bool, Flag] = False,
    resume: Annotated[bool, Flag] = False,
    overwrite: Annotated[bool, Flag] = False,
    allow_data_change: Annotated[bool, Flag] = False,
    device: str = "auto",
    quiet: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Fit a model to data, in a run folder that can be killed and resumed.

    Args:
        data: A name from `priorcraft data`, a folder of images, or an .npz, .npy or .csv file.
        model: A name from `priorcraft models`.
        out: The run folder to make.
        minutes: Train for that long; 2 without --minutes and --steps.
        steps: Train for that many updates.
        seed: Of every random draw; 0 without it.
        set: A setting of the model or its training, key=value; repeat it for more.
        pairs: DATA holds pairs: arrays a_*, b_* or folders A/, B/; the model is p(b | a), for `translate`.
        domains: DATA holds two domains without pairs: arrays a, b or folders trainA/, trainB/; p(b | a) again.
        reverse: With --domains, the other way: p(a | b).
        resume: Go on with the run in --out.
        overwrite: Replace the run in --out.
        allow_data_change: Go on although the data changed.
        device: auto, cpu, cuda or mps.
        quiet: No progress.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import TrainingBar, print_answer, print_json, settings_of, signed

    with TrainingBar(quiet=quiet) as bar:
        shared = {
            "out": out,
            "minutes": minutes,
            "steps": steps,
            "seed": seed,
            "reading": reading.given() if reading else None,
            "settings": dict(settings_of(set or [])),
            "overwrite": overwrite,
            "device": device,
            "on_record": bar.named(model or out.name),
        }
        form = form_of(pairs, domains, reverse)
        answer = verbs.fit(data, model, resume=resume, allow_data_change=allow_data_change, form=form, **shared)
    if json:
        print_json(answer)
    else:
        shown = {k: v for k, v in answer.items() if k not in ("score", "notes", "warnings")}
        print_answer(shown | signed(answer["score"]))


def form_of(pairs: bool, domains: bool, reverse: bool) -> str:
    """The form of the data that the flags name."""
    from priorcraft.errors import UsageError
    from priorcraft.run.forms import DOMAINS, PAIRS, REVERSED, ROWS

    if pairs and domains:
        raise UsageError("give --pairs or --domains, not both: rows belong together one by one, or they do not.")
    if reverse and not domains:
        raise UsageError("--reverse belongs to --domains; with --pairs, exchange A and B.")
    return PAIRS if pairs else (REVERSED if reverse else DOMAINS) if domains else ROWS
