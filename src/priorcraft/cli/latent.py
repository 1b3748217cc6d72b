"""`priorcraft interpolate`, `traverse`, `analogy` and `latent-map`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from priorcraft.cli.codes import say, settings

Flag = Parameter(negative=())


def interpolate(
    run: Path,
    a: str,
    b: str,
    *,
    steps: int = 9,
    data: str | None = None,
    given: Annotated[list[str] | None, Flag] = None,
    neighbours: bool = True,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """What lies between two images, along the line between their codes.

    Args:
        run: The run folder.
        a: An image file, or the number of a test row.
        b: The other end.
        steps: Images on the line, ends included.
        data: Whose rows; the run's own data without it.
        given: label=CLASS for the whole way; else the class of the nearer end.
        neighbours: Put the nearest real training image below each step.
        out: .png for a strip, .npz for the numbers.
        overwrite: Replace --out if it is there.
        seed: Of a search for z.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    answer = verbs.interpolate(
        run,
        a,
        b,
        steps=steps,
        data=data,
        given=settings(given),
        neighbours=neighbours,
        out=out,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say(answer, json=json)


def traverse(
    run: Path,
    image: str | None = None,
    *,
    latents: str = "",
    steps: int = 9,
    span: float = 2.5,
    data: str | None = None,
    given: Annotated[list[str] | None, Flag] = None,
    neighbours: bool = False,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """What single numbers of z do to an image: a line for each, all others kept.

    Args:
        run: The run folder.
        image: An image file, or the number of a test row; without it, a draw from p(z).
        latents: Which numbers of z, like 0,3,7; without it the ten that change the image most.
        steps: Values of each.
        span: How far to both sides, in standard deviations of p(z).
        data: Whose rows; the run's own data without it.
        given: label=CLASS, if the class is known and not that of the row.
        neighbours: Put the nearest real training images below each line.
        out: .png for a sheet, .npz for the numbers.
        overwrite: Replace --out if it is there.
        seed: Of the draw, or of a search for z.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    answer = verbs.traverse(
        run,
        image,
        latents=numbers(latents),
        steps=steps,
        span=span,
        data=data,
        given=settings(given),
        neighbours=neighbours,
        out=out,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say(answer, json=json)


def analogy(
    run: Path,
    a: str,
    b: str,
    c: str,
    *,
    steps: int = 5,
    data: str | None = None,
    given: Annotated[list[str] | None, Flag] = None,
    neighbours: bool = True,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """A is to B as C is to what? The step from A to B in z, taken from C.

    Args:
        run: The run folder.
        a: An image file, or the number of a test row.
        b: What A becomes.
        c: What the same step is applied to.
        steps: Shares of the step that are shown.
        data: Whose rows; the run's own data without it.
        given: label=CLASS for all three.
        neighbours: Put the nearest real training images below.
        out: .png for a sheet, .npz for the numbers.
        overwrite: Replace --out if it is there.
        seed: Of a search for z.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    answer = verbs.analogy(
        run,
        a,
        b,
        c,
        steps=steps,
        data=data,
        given=settings(given),
        neighbours=neighbours,
        out=out,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say(answer, json=json)


def latent_map(
    run: Path,
    *,
    data: str | None = None,
    limit: int = 1000,
    tiles: int = 12,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """Where rows lie in z, in two dimensions, and what is decoded there.

    Args:
        run: The run folder.
        data: Whose test rows; the run's own data without it.
        limit: Test rows at most.
        tiles: Decoded images a side.
        given: label=CLASS: code and decode all rows as of this class.
        out: .png for the map, .npz for the numbers.
        overwrite: Replace --out if it is there.
        seed: Of a search for z.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    answer = verbs.latent_map(
        run,
        data=data,
        limit=limit,
        tiles=tiles,
        given=settings(given),
        out=out,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say(answer, json=json)


def numbers(text: str) -> list[int]:
    """ "0,3,7" as [0, 3, 7]."""
    from priorcraft.errors import UsageError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"latents must be numbers with commas, like 0,3,7, not '{text}'.")
    return [int(part) for part in parts]
