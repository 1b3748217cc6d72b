"""`priorcraft translate RUN IMAGE...`."""

from pathlib import Path
from typing import Annotated

from priorcraft.cli.options import Count, Writing


def translate(
    run: Path,
    *images: Path,
    n: Annotated[int, Count] = 4,
    to: str | None = None,
    was: str | None = None,
    out: Path,
    how: Writing | None = None,
) -> None:
    """Images of one domain as images of another, several answers each.

    Args:
        run: A run that `fit --pairs` or `fit --domains` made; with --to, a VAE fitted to labelled data.
        images: Image files of the domain A, or one .npz with an array a.
        n: Answers for each image.
        to: Translate to this class instead: encoded under its own label, decoded under this one.
        was: The class that the images are of; inferred without it.
        out: .png for a contact sheet, .npz for the numbers.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json, print_table

    how = how or Writing()
    answer = verbs.translate(run, list(images), n, to=to, was=was, out=out, **how.shared())
    print_json(answer) if how.json else print_table([answer])
