"""`compare`: several models of the same data under one budget, measured alike, in one report."""

import json
import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from priorcraft import disk, runtime, typed, zoo
from priorcraft.answer import Answer, Picture, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.contents import read_json
from priorcraft.datasets import Reading, Rows, Splits, open_data
from priorcraft.errors import Interrupted, Stopped, UsageError
from priorcraft.metrics.baselines import baselines
from priorcraft.metrics.classification import Contest
from priorcraft.metrics.copies import CopyTest
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.likelihood import score
from priorcraft.metrics.sharpness import sharpness
from priorcraft.metrics.two_sample import TwoSampleTest
from priorcraft.outputs import write_bytes
from priorcraft.report.advice import Advice, advice, in_words
from priorcraft.report.compared import Compared
from priorcraft.report.completed import completed, tasks_for
from priorcraft.report.page import by_class, render
from priorcraft.run import Run
from priorcraft.run.begun import budget_of
from priorcraft.run.contest import contest
from priorcraft.train.loop import Listener, silent
from priorcraft.train.run_folder import RunFolder
from priorcraft.verbs.data import About
from priorcraft.verbs.fit import fit

MODELS = ("naive-bayes", "qda", "mixture", "ppca", "autoregressive", "vae", "gan")
MARK = "comparison.json"  # names the runs of a comparison, and so what may be replaced
COMPARE_MINUTES = 5.0
TEST_ROWS = 1000
BOUND_DRAWS = 20
TRIED = 4  # test images that are completed
EM_ROUNDS = 100


@dataclass(frozen=True)
class Comparison(Answer):
    """Models of the same data, measured alike.

    Args:
        seconds: in all.
        report: the page with pictures.
        data: what was fitted.
        baselines: exact bits/dim of what has to be beaten; {} for real numbers.
        models: in the order in which they were asked for.
        classification: both kinds of classifier on these data; None without labels of two classes.
        advice: which model to take for what, and why.
    """

    seconds: float
    report: Path
    data: About
    baselines: Mapping[str, float]
    models: tuple[Compared, ...]
    classification: Contest | None
    advice: tuple[Advice, ...]

    def shown(self) -> list[Piece]:
        """The models and the classifiers as tables, samples of each model, and where the report is."""
        found: list[Piece] = [Table([model.line() for model in self.models])]
        told = []
        if self.classification is not None:
            found += self.classification.shown()
            told += self.classification.notes
        if self.baselines:
            told.append("baselines in bits/dim: " + ", ".join(f"{name} {b:.3f}" for name, b in self.baselines.items()))
        told += [f"data: {note}" for note in self.data.notes]
        told.append(in_words(self.advice))
        told.append(f"{self.seconds:.0f} s in all. The report, with pictures: {self.report}")
        return [*found, *map(Sentence, told), *self._pictures()]

    def _pictures(self) -> list[Piece]:
        splits = self.data.splits
        if splits.columns is not None:
            return []
        y = measured_rows(splits).y
        return [Picture(partial(by_class, m.samples, y, splits.space), f"samples of {m.name}") for m in self.models]


def compare(
    data: str | Path | Splits,
    *,
    models: Sequence[str] = (),
    minutes: float | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    reading: Reading | None = None,
    overwrite: bool = False,
    device: str = "auto",
    listen: Listener = silent,
) -> Comparison:
    """Fit several models to the same data under one budget, and write a report.

    Args:
        data: a name from `priorcraft data`, a folder of images, or an .npz, .npy, .csv or .parquet file; in Python also
            splits that are open already.
        models: names from `priorcraft models`; a choice of every family without it.
        minutes: of training, shared among the models that train by gradient; 5 without minutes and steps.
        steps: updates of each of these models, instead of minutes.
        out (required): folder for the runs and report.html; in Python a temporary folder without it.
        seed: of every random draw.
        reading: how the data are read; the runs remember it.
        overwrite: replace an earlier comparison in out.
        device: auto, cpu, cuda or mps.
        listen: gives a consumer of the loop's records for each model.

    Returns:
        What was measured of each model, and the self-contained page that shows it.

    Raises:
        UsageError, DataError, Diverged, Stopped: as their names say.
    """
    start = time.perf_counter()
    splits = data if isinstance(data, Splits) else open_data(data, seed=seed, **(reading or {}))
    chosen = chosen_models(models, splits)
    budget = budgets(chosen, splits, minutes, steps)
    folder = prepared(Path(tempfile.mkdtemp(prefix="priorcraft-") if out is None else out), chosen, overwrite)
    tools, runs, results = Instruments(splits, seed), list[Run](), list[Compared]()
    for name, (minutes_of, steps_of) in budget.items():
        place = folder / name
        try:
            run = fit(
                splits,
                name,
                out=place,
                minutes=minutes_of,
                steps=steps_of,
                seed=seed,
                reading=reading,
                overwrite=overwrite,
                device=device,
                listen=listen,
            )
            if run.interrupted:
                raise Interrupted("interrupted.")
        except Stopped as stopped:
            raise type(stopped)(
                f"the comparison was stopped while {name} was trained, and has no report; begin it again with "
                f"--overwrite, or go on with this run alone: priorcraft fit --resume --out {place}"
            ) from None
        runs.append(run)
        results.append(tools.measured(run))
    found = {} if splits.space.levels is None else baselines(splits)
    classifiers = contest(runs, splits, tools.rows, samples=BOUND_DRAWS, seed=seed)
    spent = f"--steps {steps}" if steps else f"--minutes {minutes or COMPARE_MINUTES:g}"
    read = "".join(f" --{name.replace('_', '-')} {value}" for name, value in (reading or {}).items())
    command = f"priorcraft compare {shlex.quote(splits.name)} --models {','.join(chosen)} {spent} --seed {seed}{read}"
    advised = advice(results, classifiers)
    measured = {
        "advice": advised,
        "baselines": found,
        "contest": classifiers,
        "seconds": round(time.perf_counter() - start, 2),
    }
    report = folder / "report.html"
    write_bytes(report, render(results, splits, tools.rows, command=command, **measured).encode())
    seconds = round(time.perf_counter() - start, 2)
    return Comparison(seconds, report, About.of(splits), found, tuple(results), classifiers, advised)


def budgets(
    models: Sequence[str], splits: Splits, minutes: float | None, steps: int | None
) -> dict[str, tuple[float | None, int | None]]:
    """Minutes or steps of each model: steps, a share of the minutes, or rounds of EM for closed-form updates."""
    budget_of(minutes, steps)  # refuses bad ones
    shares = {name: zoo.entry(name, splits.space, len(splits.train))[1].share for name in models}
    part = (minutes or COMPARE_MINUTES) / max(sum(shares.values()), 1e-9)
    return {
        name: (None, EM_ROUNDS) if not share else (None, steps) if steps else (part * share, None)
        for name, share in shares.items()
    }


def chosen_models(models: Sequence[str], splits: Splits) -> list[str]:
    """The models to compare; those that need integers are left out of the defaults for real-valued data."""
    defaults = [m for m in MODELS if splits.space.levels is not None or m != "naive-bayes"]
    chosen = list(models) or defaults
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"models must not repeat a name; got {', '.join(chosen)}.")
    for name in chosen:
        zoo.build(name, splits.space, splits.context, len(splits.train), {}, seed=0)
    return chosen


@dataclass(frozen=True)
class Named:
    """A comparison.json: the names of the runs beside it."""

    models: tuple[str, ...]


def prepared(out: Path, models: Sequence[str], overwrite: bool) -> Path:
    """The folder to write; of one that is there only the runs of an earlier comparison are replaced, if they may be."""
    mark, earlier = out / MARK, list[str]()
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        if not overwrite:
            raise UsageError(f"{out} exists; choose another --out, or replace the comparison in it with --overwrite.")
        if not mark.is_file():
            raise UsageError(f"{out} exists and holds no comparison; choose another --out.")
        earlier = list(typed.read(Named, read_json(mark), str(mark)).models)
    for name in models:
        if (out / name).exists() and name not in earlier:
            raise UsageError(f"{out / name} is no part of the comparison in {out}; choose another --out.")
    with disk.explained("The comparison", out):
        for name in {*earlier} & {*zoo.names()}:
            if (out / name / "config.json").is_file():
                with RunFolder.created(out / name, {}, overwrite=True):
                    shutil.rmtree(out / name)
        out.mkdir(parents=True, exist_ok=True)
    write_bytes(mark, json.dumps(asdict(Named(tuple(models)))).encode())
    return out


def measured_rows(splits: Splits) -> Rows:
    """The test rows that models are measured on."""
    y = splits.test.y
    return Rows(splits.test.x[:TEST_ROWS], None if y is None else y[:TEST_ROWS])


class Instruments:
    """The measuring instruments of one comparison: built once from the data, the same for every model.

    Args:
        splits: the data.
        seed: of their draws.
    """

    def __init__(self, splits: Splits, seed: int) -> None:
        self.splits, self.seed, self.rows = splits, seed, measured_rows(splits)
        y = self.rows.y
        labelled = splits.classes and y is not None and len(y[y >= 0].unique()) > 1
        self.judge = Judge(splits, seed=seed) if labelled else None
        self.two_sample = TwoSampleTest(splits, seed=seed)
        self.copies = CopyTest(splits, seed=seed)
        self.tasks = tasks_for(splits.test.x[:TRIED], splits.space)

    def measured(self, run: Run) -> Compared:
        """A model by these instruments, on as many samples, and of the same classes, as there are test rows."""
        model, rows, space, device = run.model, self.rows, self.splits.space, run.model.device
        start = time.perf_counter()
        given = None if rows.y is None else rows.y.clamp_min(0).to(device)
        x = model.sample(len(rows), given=given, generator=runtime.keyed(self.seed, "compare", device=device)).cpu()
        seconds = time.perf_counter() - start
        scored = score(model, rows, samples=BOUND_DRAWS, generator=runtime.keyed(self.seed, "score", device=device))
        looks = (
            completed(model, task, generator=runtime.keyed(self.seed, "completions", device=device))
            for task in self.tasks
        )
        return Compared(
            name=run.name,
            family=run.family,
            run=str(run.path),
            score=scored,
            fidelity=None if self.judge is None or given is None else self.judge.fidelity(x, given.cpu()),
            two_sample=self.two_sample.test(x),
            copies=self.copies.test(x),
            sharpness=sharpness(x, self.splits) if space.is_image and space.levels else None,
            fit_seconds=round(run.seconds, 2),
            sample_ms=round(1000 * seconds / len(x), 4),
            parameters=sum(t.numel() for t in model.state_dict().values()),
            steps=run.steps,
            completions=tuple(looks),
            samples=x,
            events=tuple(RunFolder.open(run.path).events()),
        )
