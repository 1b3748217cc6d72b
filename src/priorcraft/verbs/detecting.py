"""`unusual`: rows that do not belong, by p(x), and by what corrects it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.condition.marginal import log_marginal
from priorcraft.core import Exact
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import NoDensity, UsageError
from priorcraft.metrics.unusual import auroc, mutated, ratio, typicality
from priorcraft.outputs import check_out, write_arrays
from priorcraft.run import Run
from priorcraft.run.data import data_of, opened
from priorcraft.run.in_memory import fitted
from priorcraft.train.loop import Budget
from priorcraft.train.run_folder import RunFolder
from priorcraft.verbs.classifying import labelled_data

MOST = 10  # rows that are named
ROWS = 1000  # of the run's own that scores are compared with, and three times as many to fit the background to
SCORES = ("likelihood", "typicality", "ratio")


def unusual(
    run: str | Path | Run,
    data: str | Path | Splits | None = None,
    *,
    against: str | Path | Splits | None = None,
    rate: float = 0.3,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Scores how unusual test rows are under an exact model; higher is more unusual.

    likelihood: -log p(x); typicality: |log p(x) - mean| in standard deviations of validation rows; ratio:
    log p0(x) - log p(x) against a background p0, the same kind of model fitted to mutated training rows.

    Args:
        run: a run folder, or what `load` returned; an exact model.
        data: rows that may or may not belong; the run's own if None.
        against: rows that do not belong, to measure how well each score tells them from those of `data`.
        rate: share of entries that is mutated for the background.
        out: .npz of `likelihood`, `typicality`, `ratio`, and `unusual` with `against`.
        overwrite: replace `out`.
        seed: of the background's draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "n", "mean" of each score, "auroc" of each score or None, "most" (the ten highest ratios),
        "background", "out".

    Raises:
        NoDensity: a model whose density is not exact.
        UsageError, DataError: as their names say.
    """
    target = None if out is None else check_out(out, (".npz",), overwrite=overwrite)
    found, _ = opened(run, device)
    if not isinstance(found.model, Exact):
        raise NoDensity(f"{found.name} has no exact density, by which rows are judged; fit an exact model.")
    own = labelled_data(found, None)
    rows = [labelled_data(found, data, holes=True).test]
    if against is not None:
        rows.append(data_of(found, against, holes=True).test)
    foreign = torch.arange(sum(map(len, rows))) >= len(rows[0])
    each = [scored(found, own, part, rate, seed) for part in rows]
    scores = {name: torch.cat([part[name] for part in each]) for name in SCORES}
    if target is not None:
        marked = {"unusual": foreign} if against is not None else {}
        write_arrays(target, {name: value.numpy() for name, value in (scores | marked).items()})
    return {
        "n": len(foreign),
        "mean": {name: float(value[~foreign].mean()) for name, value in scores.items()},
        "auroc": None if against is None else {name: auroc(value, foreign) for name, value in scores.items()},
        "most": scores["ratio"][~foreign].argsort(descending=True)[:MOST].tolist(),
        "background": f"{found.name}, fitted to training rows with {rate:.0%} of their entries mutated",
        "out": None if target is None else str(target),
    }


def scored(run: Run, own: Splits, rows: Rows, rate: float, seed: int) -> dict[str, Tensor]:
    """The three scores of every row, float64, (B,)."""
    model = run.model
    if not isinstance(model, Exact):
        raise UsageError("the three scores need an exact model.")
    log_p, known = density(model, rows), own.valid.first(ROWS)
    log_background = log_marginal(background(run, own, rate, seed), rows.x, rows.seen)
    corrected = ratio(log_marginal(model, rows.x, rows.seen), log_background)
    corrected = corrected if rows.strange is None else corrected + rows.strange
    return dict(zip(SCORES, (-log_p, typicality(log_p, density(model, known)), corrected), strict=True))


def density(model: Exact, rows: Rows) -> Tensor:
    """log p of what is there in every row, of a table with what its numbers say beyond their integers, nats, (B,)."""
    log_p = log_marginal(model, rows.x, rows.seen)
    return log_p if rows.rest is None else log_p + rows.rest


def background(run: Run, own: Splits, rate: float, seed: int) -> Exact:
    """The run's kind of model, fitted without labels to mutated training rows, in the steps of the run."""
    config = RunFolder.open(run.path).config
    train, valid = (
        Rows(mutated(rows.x, own.space, rate, generator=runtime.keyed(seed, "mutate", part)))
        for part, rows in (("train", Rows(own.train.x[: 3 * ROWS])), ("valid", Rows(own.valid.x[:ROWS])))
    )
    model = fitted(
        str(config["member"]), own.space, None, train, valid, settings=dict(config["settings"]),
        budget=Budget(steps=max(run.steps, 1)), seed=seed,
    )  # fmt: skip
    if not isinstance(model, Exact):
        raise UsageError("the background must be exact.")
    return model
