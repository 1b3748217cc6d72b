"""`priorcraft translate RUN IMAGE...`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Flag = Parameter(negative=())


def translate(
    run: Path,
    *images: Path,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 4,
    to: str | None = None,
    was: str | None = None,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """Images of one domain as images of another, several answers each.

    Args:
        run: A run that `fit --pairs` or `fit --domains` made; with --to, a VAE fitted to labelled data.
        images: Image files of the domain A, or one .npz with an array a.
        n: Answers for each image.
        to: Translate to this class instead: encoded under its own label, decoded under this one.
        was: The class that the images are of; inferred without it.
        out: .png for a contact sheet, .npz for the numbers.
        overwrite: Replace --out.
        seed: The same seed gives the same answers.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json, print_table

    shared = {"out": out, "overwrite": overwrite, "seed": seed, "device": device}
    answer = verbs.translate(run, list(images), n, to=to, was=was, **shared)
    print_json(answer) if json else print_table([answer])
