"""`priorcraft sample RUN` and `priorcraft score RUN`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Flag = Parameter(negative=())


def sample(
    run: Path,
    *,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 16,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """Draw from a fitted model.

    Args:
        run: The run folder.
        n: How many samples.
        given: label=CLASS; without it the classes are drawn too.
        out: .npz for the numbers, .png for a picture.
        overwrite: Replace --out if it is there.
        seed: The same seed gives the same samples.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_answer, print_json, settings_of

    answer = verbs.sample(
        run, n, given=settings_of(given or []), out=out, overwrite=overwrite, seed=seed, device=device
    )
    if json:
        print_json(answer)
    else:
        print_answer(answer)


def score(
    run: Path,
    data: str | None = None,
    *,
    split: str = "test",
    samples: int = 64,
    order: str = "ensemble",
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """How probable rows are under a fitted model, and what kind of number that is.

    Args:
        run: The run folder.
        data: Other data of the same kind; the run's own without it.
        split: train, valid or test.
        samples: Draws of the importance-weighted bound, for approximate models.
        order: Of an autoregressive model: ensemble, raster, reverse, random, or a permutation with commas.
        seed: Of these draws.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_answer, print_json

    answer = verbs.score(run, data, split=split, samples=samples, order=order, seed=seed, device=device)
    if json:
        print_json(answer)
    else:
        print_answer(answer)
