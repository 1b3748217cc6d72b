"""`priorcraft sample RUN` and `priorcraft score RUN`."""

from pathlib import Path
from typing import Annotated, Any

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
    method: str = "auto",
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
        method: Of a single autoregressive model: fast, jacobi, naive, or auto.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_answer, print_json, settings_of

    label = settings_of(given or [], "label=3")
    answer = verbs.sample(run, n, given=label, out=out, overwrite=overwrite, seed=seed, device=device, method=method)
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
    limit: int | None = None,
    check: Annotated[bool, Flag] = False,
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
        samples: Draws of the importance-weighted bound, for approximate models: more draws, a tighter bound.
        limit: Score the first rows alone.
        check: Hold the bound of a few rows against a second, independent estimate (annealing).
        order: Of an autoregressive model: ensemble, raster, reverse, random, a permutation with commas, or several
            of them as an ensemble: raster+reverse, random:8.
        seed: Of these draws.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json

    answer = verbs.score(
        run, data, split=split, samples=samples, limit=limit, check=check, order=order, seed=seed, device=device
    )
    if json:
        print_json(answer)
    else:
        show_score(answer)


def show_score(answer: dict[str, Any]) -> None:
    """The score, with the sign that says what kind of number it is; for a bound, a line for each k."""
    from priorcraft.cli.show import print_answer, print_table, signed, signs, unit_of

    bounds, checked = answer.get("bounds", []), answer.get("check")
    sign = signs()[answer["kind"]]
    print_answer({key: value for key, value in signed(answer).items() if key not in ("bounds", "check")})
    if bounds:
        error = {"standard_error": f"standard error, {unit_of(answer)}"}
        lines = [line | {"nats": f"{sign} {line['nats']:.3f}"} for line in bounds]
        lines = [{error.get(key) or key: value for key, value in line.items()} for line in lines]
        print_table(lines, title="fewer draws, looser bound")
    if checked:
        print(f"check of {checked['rows']} rows: {checked['verdict']}")
