"""`priorcraft encode` and `decode`; and what all commands about z share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

Flag = Parameter(negative=())


def encode(
    run: Path,
    image: Annotated[list[str] | None, Flag] = None,
    *,
    data: str | None = None,
    limit: int = 1000,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """The latent codes z of images or rows.

    A VAE encodes; for a GAN, which has no encoder, the z that comes nearest is searched for.

    Args:
        run: The run folder.
        image: Image files, or numbers of test rows; without any, the first test rows.
        data: Whose test rows; the run's own data without it.
        limit: Test rows at most.
        given: label=CLASS, if the class is known and not that of the row.
        out: .npz of z, and of y where the model has classes.
        overwrite: Replace --out if it is there.
        seed: Of a search.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    answer = verbs.encode(
        run,
        image or (),
        data=data,
        limit=limit,
        given=settings(given),
        out=out,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say(answer, json=json)


def decode(
    run: Path,
    z: Path,
    *,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """The images that codes z stand for.

    Args:
        run: The run folder.
        z: .npz with z, and y where the model has classes, as encode writes it.
        given: label=CLASS in place of y.
        out: .png for a picture, .npz for the numbers.
        overwrite: Replace --out if it is there.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    say(verbs.decode(run, z, given=settings(given), out=out, overwrite=overwrite, device=device), json=json)


def settings(given: list[str] | None) -> dict[str, str]:
    """["label=3"] as {"label": "3"}."""
    from priorcraft.cli.show import settings_of

    return settings_of(given or [], "label=3")


def say(answer: Mapping[str, Any], *, json: bool) -> None:
    """The answer as JSON or line by line."""
    from priorcraft.cli.show import print_answer, print_json

    print_json(answer) if json else print_answer(answer)
