"""`priorcraft encode` and `decode`."""

from pathlib import Path
from typing import Annotated

from priorcraft.cli.options import Coding, Flag, Writing, label_of, tell


def encode(
    run: Path,
    image: Annotated[list[str] | None, Flag] = None,
    *,
    limit: int = 1000,
    out: Path,
    of: Coding | None = None,
    how: Writing | None = None,
) -> None:
    """The latent codes z of images or rows.

    A VAE encodes; for a GAN, which has no encoder, the z that comes nearest is searched for.

    Args:
        run: The run folder.
        image: Image files, or numbers of test rows; without any, the first test rows.
        limit: Test rows at most.
        out: .npz of z, and of y where the model has classes.
    """
    from priorcraft import verbs

    of, how = of or Coding(), how or Writing()
    tell(verbs.encode(run, image or (), limit=limit, out=out, **of.shared(), **how.shared()), json=how.json)


def decode(
    run: Path, z: Path, *, given: Annotated[list[str] | None, Flag] = None, out: Path, how: Writing | None = None
) -> None:
    """The images that codes z stand for.

    Args:
        run: The run folder.
        z: .npz with z, and y where the model has classes, as encode writes it.
        given: label=CLASS in place of y.
        out: .png for a picture, .npz for the numbers.
    """
    from priorcraft import verbs

    how = how or Writing()
    answer = verbs.decode(run, z, given=label_of(given), out=out, overwrite=how.overwrite, device=how.device)
    tell(answer, json=how.json)
