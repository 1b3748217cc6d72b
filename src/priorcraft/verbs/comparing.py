"""`compare` and `demo`: several models of the same data under one budget, measured alike, in one report."""

import json
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Generator, Tensor

from priorcraft import runtime, zoo
from priorcraft.datasets import Reading, Rows, Splits, open_data
from priorcraft.disk import read_json
from priorcraft.errors import Stopped, UsageError
from priorcraft.metrics.baselines import baselines
from priorcraft.metrics.copies import CopyTest
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.likelihood import score
from priorcraft.metrics.sharpness import sharpness
from priorcraft.metrics.two_sample import TwoSampleTest
from priorcraft.outputs import write_bytes
from priorcraft.report.completed import Completed, Task, completed, tasks_for
from priorcraft.report.completions import completions
from priorcraft.report.page import render
from priorcraft.run import Run, load
from priorcraft.run.resume import budget_of
from priorcraft.train.loop import Record
from priorcraft.train.run_folder import RunFolder
from priorcraft.verbs.catalogue import about
from priorcraft.verbs.classified import classified
from priorcraft.verbs.fitting import fit

MODELS = ("naive-bayes", "qda", "mixture", "ppca", "autoregressive", "vae", "gan")
DEMO = Path("priorcraft-demo")
MARK = "comparison.json"  # names the runs of a comparison, and so what may be replaced
DEMO_STEPS = 400  # enough for a first good look, and the same numbers on every machine of a kind
COMPARE_MINUTES = 5.0
TEST_ROWS = 1000
BOUND_DRAWS = 20
EM_ROUNDS = 100
Listener = Callable[[str], Callable[[Record], None]]


def demo(
    *, out: str | Path = DEMO, seed: int = 0, listen: Listener = lambda name: lambda record: None
) -> dict[str, Any]:
    """Fits a model of each family to 8x8 handwritten digits and compares them: `compare` with its defaults.

    Args:
        out: folder of the runs and report.html; a comparison that is there is replaced.
        seed: of every draw.
        listen: gives a consumer of records for each model.

    Returns:
        As `compare`.
    """
    return compare("digits", steps=DEMO_STEPS, out=out, seed=seed, overwrite=True, listen=listen)


def compare(
    data: str | Path | Splits,
    *,
    models: Sequence[str] = (),
    minutes: float | None = None,
    steps: int | None = None,
    out: str | Path,
    seed: int = 0,
    reading: Reading | None = None,
    overwrite: bool = False,
    device: str = "auto",
    listen: Listener = lambda name: lambda record: None,
) -> dict[str, Any]:
    """Fits models to the same data, measures them alike on test rows, and writes one self-contained page.

    Args:
        data: what `open_data` takes.
        models: names from `models()`; one or more of each family without any.
        minutes: of training, shared among the models that train by gradient; five without minutes and steps.
        steps: updates of each of these models, instead of minutes.
        out: folder for the runs and report.html.
        seed: of every draw.
        reading: size, mode, levels, limit or on_bad_image of `open_data`.
        overwrite: replace a comparison that is there.
        device: auto, cpu, cuda or mps.
        listen: gives a consumer of records for each model.

    Returns:
        "seconds", "report", "data", "baselines", "models", one entry a model, and "classification" of labelled data.
    """
    start = time.perf_counter()
    splits = data if isinstance(data, Splits) else open_data(data, seed=seed, **(reading or {}))
    chosen = chosen_models(models, splits)
    folder, tests = prepared(Path(out), chosen, overwrite), Tests(splits, seed)
    runs, results, samples, events, looks = list[Run](), [], [], [], list[list[Completed]]()
    for name, budget in budgets(chosen, splits, minutes, steps).items():
        how = {"seed": seed, "reading": reading, "overwrite": overwrite, "device": device, "on_record": listen(name)}
        try:
            fit(splits, name, out=folder / name, **how, **budget)
        except Stopped as stopped:
            raise type(stopped)(
                f"the comparison was stopped while {name} was trained, and has no report; begin it again with "
                f"--overwrite, or go on with this run alone: priorcraft fit --resume --out {folder / name}"
            ) from None
        run = load(folder / name, device=runtime.pick_device(device))
        runs.append(run)
        result, drawn = measured(run, tests, seed)
        looks.append([completed(run.model, task, generator=generator_of(run, seed)) for task in tests.tasks])
        results.append(
            result | {"completions": [as_dict(task, look) for task, look in zip(tests.tasks, looks[-1], strict=True)]}
        )
        samples.append(drawn)
        events.append(RunFolder.open(folder / name).events())
    report = folder / "report.html"
    answer = {
        "seconds": round(time.perf_counter() - start, 2),
        "report": str(report),
        "data": about(splits),
        "baselines": {} if splits.space.levels is None else baselines(splits),
        "models": results,
        "classification": classified(runs, splits, tests.rows, samples=BOUND_DRAWS, seed=seed),
    }
    spent = f"--steps {steps}" if steps else f"--minutes {minutes or COMPARE_MINUTES:g}"
    read = "".join(f" --{name.replace('_', '-')} {value}" for name, value in (reading or {}).items())
    command = f"priorcraft compare {shlex.quote(splits.name)} --models {','.join(chosen)} {spent} --seed {seed}{read}"
    pictures = completions(results, tests.tasks, looks, splits.space)
    page = render(answer, splits, tests.rows.x, samples, tests.rows.y, events, command, pictures)
    write_bytes(report, page.encode())
    return answer | {"seconds": round(time.perf_counter() - start, 2)}


def budgets(
    models: Sequence[str], splits: Splits, minutes: float | None, steps: int | None
) -> dict[str, dict[str, Any]]:
    """The budget of each model: steps or a share of the minutes, or rounds of EM where updates are in closed form."""
    budget_of(minutes, steps)  # refuses bad ones
    shares = {name: zoo.entry(name, splits.space, len(splits.train))[1].share for name in models}
    part = (minutes or COMPARE_MINUTES) / max(sum(shares.values()), 1e-9)
    trained = {name: {"steps": steps} if steps else {"minutes": part * share} for name, share in shares.items()}
    return {name: trained[name] if shares[name] else {"steps": EM_ROUNDS} for name in models}


def chosen_models(models: Sequence[str], splits: Splits) -> list[str]:
    """The models to compare; those that need integers are left out of the defaults for real-valued data."""
    defaults = [m for m in MODELS if splits.space.levels is not None or m != "naive-bayes"]
    chosen = list(models) or defaults
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"models must not repeat a name; got {', '.join(chosen)}.")
    for name in chosen:
        zoo.build(name, splits.space, splits.context, len(splits.train), {}, seed=0)
    return chosen


def prepared(out: Path, models: Sequence[str], overwrite: bool) -> Path:
    """The folder to write; of one that is there only the runs of an earlier comparison are replaced, if they may be."""
    mark, earlier = out / MARK, list[str]()
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        if not overwrite:
            raise UsageError(f"{out} exists; choose another --out, or replace the comparison in it with --overwrite.")
        if not mark.is_file():
            raise UsageError(f"{out} exists and holds no comparison; choose another --out.")
        earlier = [str(name) for name in read_json(mark).get("models", [])]
    for name in models:
        if (out / name).exists() and name not in earlier:
            raise UsageError(f"{out / name} is no part of the comparison in {out}; choose another --out.")
    for name in {*earlier} & {*zoo.names()}:
        if (out / name / "config.json").is_file():
            RunFolder.create(out / name, {}, overwrite=True)
            shutil.rmtree(out / name)
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(mark, json.dumps({"models": list(models)}).encode())
    return out


@dataclass
class Tests:
    """The measuring instruments of one comparison: built once from the data, the same for every model.

    Args:
        splits: the data.
        seed: of their draws.
    """

    splits: Splits
    seed: int

    def __post_init__(self) -> None:
        test = self.splits.test
        y = None if test.y is None else test.y[:TEST_ROWS]
        self.rows = Rows(test.x[:TEST_ROWS], y)
        labelled = self.splits.classes and y is not None and len(y[y >= 0].unique()) > 1
        self.judge = Judge(self.splits, seed=self.seed) if labelled else None
        self.two_sample = TwoSampleTest(self.splits, seed=self.seed)
        self.copies = CopyTest(self.splits, seed=self.seed)
        self.tasks = tasks_for(test.x[:1], self.splits.space)


def generator_of(run: Run, seed: int) -> Generator:
    """Source of the completions: the same for every model."""
    return runtime.keyed(seed, "completions", device=run.model.log_prior.device)


def as_dict(task: Task, look: Completed) -> dict[str, Any]:
    """What a model made of a task, in the answer."""
    return {"task": task.title, "said": look.said, "notes": look.notes}


def measured(run: Run, tests: Tests, seed: int) -> tuple[dict[str, Any], Tensor]:
    """One entry of the answer, and the samples that it rests on: as many, and of the same classes, as test rows."""
    device = run.model.log_prior.device
    start = time.perf_counter()
    given = None if tests.rows.y is None else tests.rows.y.clamp_min(0).to(device)
    x = run.model.sample(len(tests.rows.x), given=given, generator=runtime.keyed(seed, "compare", device=device)).cpu()
    seconds = time.perf_counter() - start
    found = score(run.model, tests.rows, samples=BOUND_DRAWS, generator=runtime.keyed(seed, "score", device=device))
    entry = {
        "name": run.name,
        "family": run.family,
        "run": str(run.path),
        "score": {k: v for k, v in found.as_dict().items() if k != "n"},
        "fidelity": None if tests.judge is None or given is None else tests.judge.fidelity(x, given.cpu()),
        "two_sample": tests.two_sample.test(x).as_dict(),
        "copies": tests.copies.test(x).as_dict(),
        "sharpness": sharpness(x, tests.splits) if tests.splits.space.is_image and tests.splits.space.levels else None,
        "fit_seconds": round(run.seconds, 2),
        "sample_ms": round(1000 * seconds / len(x), 4),
        "parameters": sum(t.numel() for t in run.model.state_dict().values()),
        "steps": run.steps,
    }
    return entry, x
