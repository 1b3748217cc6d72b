"""`priorcraft fit DATA MODEL`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Flag = Parameter(negative=())


def fit(
    data: str | None = None,
    model: str | None = None,
    *,
    out: Path,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    set: Annotated[list[str] | None, Parameter(negative=())] = None,
    resume: Annotated[bool, Flag] = False,
    overwrite: Annotated[bool, Flag] = False,
    allow_data_change: Annotated[bool, Flag] = False,
    device: str = "auto",
    quiet: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Fit a model to data, in a run folder that can be killed and resumed.

    Args:
        data: A name from `priorcraft data`, a folder of images, or an .npz or .npy file.
        model: A name from `priorcraft models`.
        out: The run folder to make.
        minutes: Train for that long; 2 without --minutes and --steps.
        steps: Train for that many updates.
        seed: Of every random draw.
        set: A setting of the model or its training, key=value; repeat it for more.
        resume: Go on with the run in --out.
        overwrite: Replace the run in --out.
        allow_data_change: Go on although the data changed.
        device: auto, cpu, cuda or mps.
        quiet: No progress.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import TrainingBar, print_answer, print_json, settings_of

    with TrainingBar(quiet=quiet) as bar:
        answer = verbs.fit(
            data,
            model,
            out=out,
            minutes=minutes,
            steps=steps,
            seed=seed,
            settings=dict(settings_of(set or [])),
            resume=resume,
            overwrite=overwrite,
            allow_data_change=allow_data_change,
            device=device,
            on_record=bar.named(model or out.name),
        )
    if json:
        print_json(answer)
    else:
        print_answer({k: v for k, v in answer.items() if k != "score"} | answer["score"])
