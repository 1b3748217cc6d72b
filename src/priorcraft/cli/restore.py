"""`priorcraft inpaint RUN IMAGE` and `priorcraft upscale RUN IMAGE`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from priorcraft.cli.options import Count, Flag, Restoring, Writing

FIGURES = ("psnr_mean", "ssim_mean", "judge_samples", "judge_mean", "bits_per_hidden", "coverage90", "consistency")


def inpaint(
    run: Path,
    image: Annotated[list[Path] | None, Flag] = None,
    *,
    mask: str,
    what: Restoring | None = None,
    how: Writing | None = None,
) -> None:
    """Complete what a mask hides, in several ways, from one fitted model.

    Args:
        run: The run folder.
        image: One image file, or several of one size; larger ones are completed tile by tile.
        mask: bottom, top, left, right, centre, random:0.5, or a .png of the image's size, white where hidden.
    """
    from priorcraft import verbs

    what, how = what or Restoring(), how or Writing()
    say_answer(verbs.inpaint(run, image, mask=mask, **what.shared(), **how.shared()), json=how.json, kept=what.kept)


def upscale(
    run: Path,
    image: Annotated[list[Path] | None, Flag] = None,
    *,
    factor: int = 2,
    what: Restoring | None = None,
    how: Writing | None = None,
) -> None:
    """Enlarge images in several ways, each with exactly the block means that were seen.

    Args:
        run: The run folder.
        image: Image files of the model's size divided by factor.
        factor: Side of a block.
    """
    from priorcraft import verbs

    what, how = what or Restoring(), how or Writing()
    say_answer(verbs.upscale(run, image, factor=factor, **what.shared(), **how.shared()), json=how.json, kept=what.kept)


def impute(
    run: Path, file: Path, *, n: Annotated[int, Count] = 8, draws: int = 64, out: Path, how: Writing | None = None
) -> None:
    """Draw the missing values of an array, several times.

    Args:
        run: The run folder.
        file: .npz with rows x, nan or a mask of ones where missing; an .npy with nan; or a .csv with empty cells.
        n: How many imputations of each row.
        draws: How many the mean and the spread are taken over.
        out: .npz with x (rows, n, ...), mean, std, entropy and mask; of a .csv also a .csv, n times over.
    """
    from priorcraft import verbs

    how = how or Writing()
    say_answer(verbs.impute(run, file, n=n, draws=draws, out=out, **how.shared()), json=how.json)


def say_answer(answer: Mapping[str, Any], *, json: bool, kept: bool = True) -> None:
    """The answer without its arrays: one JSON object, or a table, with what has to be said on stderr."""
    from priorcraft.cli import say
    from priorcraft.cli.show import print_json, print_table

    plain = {key: value for key, value in answer.items() if key not in ("x", "mean", "std", "entropy", "seen", "mask")}
    if json:
        print_json(plain)
        return
    for note in plain["notes"]:
        say(f"Note: {note}")
    if not kept:
        say("Note: no picture was kept; --out sheet.png shows the completions, --restored image.png keeps the first.")
    for key, value in plain["diagnostics"].items():
        say(f"{key.replace('_', ' ')}: {value:g}")
    keys = ("kind", "method", *FIGURES, "missing", "rows", "images", "n", "seconds", "out")
    print_table([{"figure": key.replace("_", " "), "value": plain[key]} for key in keys if plain.get(key) is not None])
