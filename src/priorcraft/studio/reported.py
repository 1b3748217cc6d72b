"""The page of `compare` for runs that are there; a module of its own, since scikit-learn comes with it."""

import time
from dataclasses import replace

from priorcraft.datasets import Splits
from priorcraft.metrics.baselines import baselines
from priorcraft.report.advice import advice
from priorcraft.report.compared import Compared
from priorcraft.report.page import render
from priorcraft.run import Run
from priorcraft.run.contest import contest
from priorcraft.studio.workspace import Workspace
from priorcraft.verbs.compare import BOUND_DRAWS, Instruments


def reported(workspace: Workspace, runs: list[Run], splits: Splits) -> tuple[list[Compared], str]:
    """What was measured of each run, and the page that shows it; nothing is trained."""
    start, made = time.perf_counter(), workspace.made
    tools = made.get(("instruments", splits.fingerprint), lambda: Instruments(splits, 0))
    models = [
        made.get((str(run.path), run.steps, "report"), lambda run=run: replace(tools.measured(run), name=run.path.name))
        for run in runs
    ]
    classifiers = contest(runs, splits, tools.rows, samples=BOUND_DRAWS, seed=0)
    page = render(
        models,
        splits,
        tools.rows,
        advice=advice(models, classifiers),
        baselines={} if splits.space.levels is None else baselines(splits),
        contest=classifiers,
        seconds=round(time.perf_counter() - start, 2),
        command="priorcraft studio " + str(workspace.folder),
    )
    return models, page
