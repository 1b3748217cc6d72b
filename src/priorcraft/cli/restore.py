"""`priorcraft inpaint RUN IMAGE` and `priorcraft upscale RUN IMAGE`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

Flag = Parameter(negative=())
FIGURES = ("psnr_mean", "ssim_mean", "judge_samples", "judge_mean", "bits_per_hidden", "coverage90", "consistency")


def inpaint(
    run: Path,
    image: Annotated[list[Path] | None, Flag] = None,
    *,
    mask: str,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 8,
    draws: int = 64,
    data: str | None = None,
    limit: int = 450,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path | None = None,
    restored: Path | None = None,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """Complete what a mask hides, in several ways, from one fitted model.

    Args:
        run: The run folder.
        image: One image file, or several of one size; larger ones are completed tile by tile.
        mask: bottom, top, left, right, centre, random:0.5, or a .png of the image's size, white where hidden.
        n: How many completions of each image.
        draws: How many the mean and the uncertainty are taken over.
        data: Instead of an image: complete the test rows of these data, and compare with the truth.
        limit: Test rows at most.
        given: label=CLASS, if the class is known.
        out: .png for a sheet (seen, completions, mean, uncertainty, truth), .npz for the numbers.
        restored: .png of the first completion alone.
        overwrite: Replace files that are there.
        seed: The same seed gives the same completions.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import settings_of

    answer = verbs.inpaint(
        run,
        image,
        mask=mask,
        n=n,
        draws=draws,
        data=data,
        limit=limit,
        given=settings_of(given or [], "label=3"),
        out=out,
        restored=restored,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say_answer(answer, json=json, kept=data is not None or out is not None or restored is not None)


def upscale(
    run: Path,
    image: Annotated[list[Path] | None, Flag] = None,
    *,
    factor: int = 2,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 8,
    draws: int = 64,
    data: str | None = None,
    limit: int = 450,
    given: Annotated[list[str] | None, Flag] = None,
    out: Path | None = None,
    restored: Path | None = None,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """Enlarge images in several ways, each with exactly the block means that were seen.

    Args:
        run: The run folder.
        image: Image files of the model's size divided by factor.
        factor: Side of a block.
        n: How many completions of each image.
        draws: How many the mean and the uncertainty are taken over.
        data: Instead of an image: complete the test rows of these data, and compare with the truth.
        limit: Test rows at most.
        given: label=CLASS, if the class is known.
        out: .png for a sheet (seen, completions, mean, uncertainty, truth), .npz for the numbers.
        restored: .png of the first completion alone.
        overwrite: Replace files that are there.
        seed: The same seed gives the same completions.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import settings_of

    answer = verbs.upscale(
        run,
        image,
        factor=factor,
        n=n,
        draws=draws,
        data=data,
        limit=limit,
        given=settings_of(given or [], "label=3"),
        out=out,
        restored=restored,
        overwrite=overwrite,
        seed=seed,
        device=device,
    )
    say_answer(answer, json=json, kept=data is not None or out is not None or restored is not None)


def impute(
    run: Path,
    file: Path,
    *,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 8,
    draws: int = 64,
    out: Path,
    overwrite: Annotated[bool, Flag] = False,
    seed: int = 0,
    device: str = "auto",
    json: Annotated[bool, Flag] = False,
) -> None:
    """Draw the missing values of an array, several times.

    Args:
        run: The run folder.
        file: .npz with rows x, nan or a mask of ones where missing; or an .npy of rows with nan.
        n: How many imputations of each row.
        draws: How many the mean and the spread are taken over.
        out: .npz with x (rows, n, ...), mean, std, entropy and mask.
        overwrite: Replace --out if it is there.
        seed: The same seed gives the same imputations.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs

    answer = verbs.impute(run, file, n=n, draws=draws, out=out, overwrite=overwrite, seed=seed, device=device)
    say_answer(answer, json=json)


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
