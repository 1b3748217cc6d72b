"""`priorcraft interpolate`, `traverse`, `analogy` and `latent-map`."""

from pathlib import Path

from priorcraft.cli.options import Coding, Writing, tell


def interpolate(
    run: Path,
    a: str,
    b: str,
    *,
    steps: int = 9,
    neighbours: bool = True,
    out: Path,
    of: Coding | None = None,
    how: Writing | None = None,
) -> None:
    """What lies between two images, along the line between their codes.

    Args:
        run: The run folder.
        a: An image file, or the number of a test row.
        b: The other end.
        steps: Images on the line, ends included.
        neighbours: Put the nearest real training image below each step.
        out: .png for a strip, .npz for the numbers.
    """
    from priorcraft import verbs

    of, how = of or Coding(), how or Writing()
    answer = verbs.interpolate(run, a, b, steps=steps, neighbours=neighbours, out=out, **of.shared(), **how.shared())
    tell(answer, json=how.json)


def traverse(
    run: Path,
    image: str | None = None,
    *,
    latents: str = "",
    steps: int = 9,
    span: float = 2.5,
    neighbours: bool = False,
    out: Path,
    of: Coding | None = None,
    how: Writing | None = None,
) -> None:
    """What single numbers of z do to an image: a line for each, all others kept.

    Args:
        run: The run folder.
        image: An image file, or the number of a test row; without it, a draw from p(z).
        latents: Which numbers of z, like 0,3,7; without it the ten that change the image most.
        steps: Values of each.
        span: How far to both sides, in standard deviations of p(z).
        neighbours: Put the nearest real training images below each line.
        out: .png for a sheet, .npz for the numbers.
    """
    from priorcraft import verbs

    of, how = of or Coding(), how or Writing()
    shared = {"steps": steps, "span": span, "neighbours": neighbours, "out": out, **of.shared(), **how.shared()}
    tell(verbs.traverse(run, image, latents=numbers(latents), **shared), json=how.json)


def analogy(
    run: Path,
    a: str,
    b: str,
    c: str,
    *,
    steps: int = 5,
    neighbours: bool = True,
    out: Path,
    of: Coding | None = None,
    how: Writing | None = None,
) -> None:
    """A is to B as C is to what? The step from A to B in z, taken from C.

    Args:
        run: The run folder.
        a: An image file, or the number of a test row.
        b: What A becomes.
        c: What the same step is applied to.
        steps: Shares of the step that are shown.
        neighbours: Put the nearest real training images below.
        out: .png for a sheet, .npz for the numbers.
    """
    from priorcraft import verbs

    of, how = of or Coding(), how or Writing()
    answer = verbs.analogy(run, a, b, c, steps=steps, neighbours=neighbours, out=out, **of.shared(), **how.shared())
    tell(answer, json=how.json)


def latent_map(
    run: Path,
    *,
    limit: int = 1000,
    tiles: int = 12,
    out: Path,
    of: Coding | None = None,
    how: Writing | None = None,
) -> None:
    """Where rows lie in z, in two dimensions, and what is decoded there.

    Args:
        run: The run folder.
        limit: Test rows at most.
        tiles: Decoded images a side.
        out: .png for the map, .npz for the numbers.
    """
    from priorcraft import verbs

    of, how = of or Coding(), how or Writing()
    answer = verbs.latent_map(run, limit=limit, tiles=tiles, out=out, **of.shared(), **how.shared())
    tell(answer, json=how.json)


def numbers(text: str) -> list[int]:
    """ "0,3,7" as [0, 3, 7]."""
    from priorcraft.errors import UsageError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"latents must be numbers with commas, like 0,3,7, not '{text}'.")
    return [int(part) for part in parts]
