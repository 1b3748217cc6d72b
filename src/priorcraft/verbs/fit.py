"""`fit`: a model of the user's data, in a run folder that can be killed and resumed."""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from priorcraft import runtime, zoo
from priorcraft.core import ClosedForm, Generative
from priorcraft.datasets import Reading, Rows, Splits
from priorcraft.datasets.pairs import Pairs
from priorcraft.datasets.progress import telling
from priorcraft.errors import Interrupted, UsageError
from priorcraft.report.grid import picture
from priorcraft.run import Run, describe, load, rebuild
from priorcraft.run.floors import Floors, expected
from priorcraft.run.forms import DOMAINS, PAIRS, REVERSED, ROWS, open_as
from priorcraft.run.pace import FEWEST, Pace, advice, last_score, measured, spread_rows
from priorcraft.run.resume import again, budget_of, elsewhere, reopen
from priorcraft.run.run import SCORE
from priorcraft.scale.training import follow, follows, train_together
from priorcraft.train.batch import fastest_batch
from priorcraft.train.holes import filled
from priorcraft.train.launch import launched
from priorcraft.train.loop import Budget, Listener, Record, heard, silent, validation_nats, whole
from priorcraft.train.run_folder import RunFolder
from priorcraft.train.shards import DEFAULT, Shards
from priorcraft.train.watch import Watch
from priorcraft.zoo import Settings

GRID = 40  # samples in one picture
PICTURES = 0.05  # share of the time that pictures may take
PICTURE_SHARE, PICTURE_SECONDS = 0.1, 10.0  # of a budget, or seconds, that a picture may take; it is given up then
UNDRAWN = "no picture of samples: it takes longer than {seconds:.0f} s here; priorcraft sample {path} draws them."
TRIAL_ROWS = 1000  # from which a batch size is measured


def fit(
    data: str | Path | Splits | None = None,
    model: str | None = None,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    settings: Settings | None = None,
    reading: Reading | None = None,
    pairs: bool = False,
    domains: bool = False,
    reverse: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    allow_data_change: bool = False,
    workers: int | None = None,
    shards: int | None = None,
    device: str = "auto",
    listen: Listener = silent,
) -> Run:
    """Fit a model to data, in a run folder that can be killed and resumed.

    Args:
        data: a name from `priorcraft data`, a folder of images, or an .npz, .npy, .csv or .parquet file; in Python also
            arrays, a data frame, or splits that are open already. May be left out with resume.
        model: a name from `priorcraft models`; may be left out with resume.
        out (required): the run folder to make; in Python a temporary folder without it.
        minutes: train for that long; 2 without minutes and steps. How many updates that are depends on the clock, so
            that it does not repeat bit for bit, and the run says so.
        steps: train for that many updates; the same ones, bit for bit, on the same machine.
        seed: of every random draw; 0 without it.
        settings (--set): a setting of the model or its training, key=value; repeat it for more.
        reading: how the data are read; the run remembers it.
        pairs: DATA holds pairs: arrays a_*, b_* or folders A/, B/; the model is p(b | a), for `translate`.
        domains: DATA holds two domains without pairs: arrays a, b or folders trainA/, trainB/; p(b | a) again.
        reverse: with domains, the other way: p(a | b).
        resume: go on with the run in out; it ends bit for bit where the run would have ended.
        overwrite: replace the run in out.
        allow_data_change: go on although the data changed.
        workers: processes of this machine that train together; the weights are the same, bit for bit, for every number
            that divides the shards. On several machines: torchrun ... -m priorcraft fit ...
        shards: parts into which the rows of a step are cut; 4 with workers, which must divide it. The run keeps it.
        device: auto, cpu, cuda or mps.
        listen: gives a consumer of the loop's records for the model's name.

    Returns:
        The run, as `load` opens it, with its score on the first validation rows. Interrupted in a notebook or an
        interactive shell, the model so far, with `interrupted` set.

    Raises:
        UsageError, DataError, Diverged, Stopped, CheckpointError: as their names say.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = fit("digits", "naive-bayes", out=folder + "/nb", steps=3)
    >>> run.family, run.score.kind.value
    ('exact', 'exact')
    """
    where = runtime.pick_device(device)
    runtime.tune()
    folder = Path(tempfile.mkdtemp(prefix="priorcraft-") if out is None else out)
    on_record = listen(model or folder.name)
    if allow_data_change and not resume:
        raise UsageError("--allow-data-change goes with --resume; a run that begins has no other data.")
    form = form_of(pairs, domains, reverse)
    if follows():
        here = again(folder, data) if resume else opened_as(form, data, seed, reading)
        own = int(RunFolder.open(folder).config["seed"]) if resume else seed or 0
        follow(filled(here, seed=own), where)
    with ExitStack() as held:  # the run's lock, from its creation to its end
        if resume:
            if overwrite:
                raise UsageError("resume goes on with a run and overwrite replaces it; give one of them.")
            named = form if pairs or domains or reverse else None
            asked = {
                "model": model,
                "seed": seed,
                "form": named,
                "shards": shards,
                **(settings or {}),
                **(reading or {}),
            }
            run, splits, budget = reopen(folder, held, data, minutes, steps, allow_data_change, asked)
            for message in elsewhere(run.config):
                on_record(Record("note", 0, 0.0, 0.0, {"message": message}))
        else:
            how = (settings or {}, reading or {}, overwrite, form, cut_into(shards, workers))
            with telling(heard(on_record)):
                run, splits, budget = create(data, model, folder, held, minutes, steps, seed or 0, *how)
            for event in run.events():  # what was found in the data, and chosen before the start
                on_record(Record("note", 0, 0.0, 0.0, {"message": str(event["message"])}))
        return trained(run, splits, budget, where, on_record, resume=resume, workers=workers or 1)


def opened_as(form: str, data: str | Path | Splits | None, seed: int | None, reading: Reading | None) -> Splits:
    """Data in a form, opened or as they are."""
    return data if isinstance(data, Splits) else open_as(form, data or "", seed=seed or 0, **(reading or {}))


def trained(
    run: RunFolder,
    splits: Splits,
    budget: Budget,
    where: torch.device,
    on_record: Callable[[Record], None],
    *,
    resume: bool,
    workers: int,
) -> Run:
    """The run, once its budget is spent or somebody who types has had enough."""
    splits = filled(splits, seed=int(run.config["seed"]))
    seed = int(run.config["seed"])
    pace = None if budget.seconds is None else measured(*rebuild(run.config, where), splits, budget)
    for message in [] if pace is None else advice(str(run.config["model"]), pace, splits, budget, seed=seed):
        note(run, "warning", message, on_record)
    fitted, objective = rebuild(run.config, where)
    if run.newest() is None:
        start = whole(splits.train, where)
        fitted.initialise(start.x, start.given, generator=runtime.keyed(seed, "start"))
        if pace is not None:
            first_nats = validation_nats(fitted, spread_rows(splits.valid, FEWEST), seed)
            note(run, "note", expected(fitted, pace, budget, Floors.of(splits), first_nats), on_record)
    objective.prepare(whole(splits.valid, where))
    drawing = 0.0
    try:
        looked_at = None if pace is None else pace.looked_at(budget)
        together = {"seed": seed, "workers": workers, "resume": resume, "watch": Watch(), "looked_at": looked_at}
        for record in train_together(run, objective, splits, budget, **together):
            if record.kind == "validation" and (drawing <= PICTURES * record.elapsed or record.progress >= 1):
                began, patience = time.monotonic(), drawn_within(budget)
                try:
                    with nullcontext() if patience is None else runtime.within_time(patience):
                        draw_samples(run, objective.averaged, splits.valid, seed, record.step)
                except runtime.OutOfTime:
                    note(run, "note", UNDRAWN.format(seconds=patience, path=run.path), on_record)
                drawing += time.monotonic() - began
            on_record(record)
    except Interrupted:
        if not somebody_types():
            raise
        return replace(ended(run, splits, where, pace, budget, on_record), interrupted=True)
    return ended(run, splits, where, pace, budget, on_record)


def drawn_within(budget: Budget) -> float | None:
    """Seconds that one picture may take: a tenth of a budget of time, or ten seconds; None for a budget of steps."""
    return None if budget.seconds is None else max(PICTURE_SECONDS, PICTURE_SHARE * budget.seconds)


def note(run: RunFolder, kind: str, message: str, on_record: Callable[[Record], None]) -> None:
    """Keeps a sentence in the run, and tells it."""
    record = Record(kind, 0, 0.0, 0.0, {"message": message})
    run.append(record.as_event())
    on_record(record)


def cut_into(shards: int | None, workers: int | None) -> int:
    """Parts of the rows of a step: as asked, or four where several processes shall share them."""
    asked = workers is not None or launched()
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}.")
    found = DEFAULT if shards is None and asked else shards or 1
    Shards.check(found, workers or 1)
    return found


def form_of(pairs: bool, domains: bool, reverse: bool) -> str:
    """The form of the data that the flags name.

    Raises:
        UsageError: flags that contradict each other.
    """
    if pairs and domains:
        raise UsageError("give --pairs or --domains, not both: rows belong together one by one, or they do not.")
    if reverse and not domains:
        raise UsageError("--reverse belongs to --domains; with --pairs, exchange A and B.")
    return PAIRS if pairs else (REVERSED if reverse else DOMAINS) if domains else ROWS


def somebody_types() -> bool:
    """Whether Python runs in a notebook or an interactive shell, where an interrupt means "that is enough"."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


def create(
    data: str | Path | Splits | None,
    model: str | None,
    out: Path,
    held: ExitStack,
    minutes: float | None,
    steps: int | None,
    seed: int,
    settings: Settings,
    reading: Reading,
    overwrite: bool,
    form: str = ROWS,
    shards: int = 1,
) -> tuple[RunFolder, Splits, Budget]:
    """A new run folder for data that can be read and a model that can be built; `held` holds its lock."""
    if data is None or model is None:
        raise UsageError("fit needs DATA and MODEL, as in: priorcraft fit digits vae --out runs/vae.")
    if isinstance(data, str) and data in zoo.names() and model not in zoo.names():
        raise UsageError(f"first the data, then the model: priorcraft fit {model} {data} --out {out}.")
    splits = data if isinstance(data, Splits) else open_as(form, data, seed=seed, **reading)
    check_context(model, splits)
    source = str(data) if isinstance(data, str | Path) else splits.name
    budget = budget_of(minutes, steps)
    settings, chosen = sized(model, splits, settings, seed, budget)
    found = {"source": source, "form": form, "reading": reading}
    config = describe(model, splits, settings, seed=seed, budget=budget, **found)
    zoo.build(model, splits.space, splits.context, len(splits.train), settings, seed=seed)  # refuses bad settings first
    config |= {"shards": shards} if shards > 1 else {}
    run = held.enter_context(RunFolder.created(out, config, overwrite=overwrite))
    found = [] if isinstance(data, Splits) else splits.notes  # who opened the data has heard of them
    for message in [*found, *chosen]:
        run.append({"kind": "note", "step": 0, "progress": 0.0, "elapsed": 0.0, "message": message})
    return run, splits, budget


def sized(model: str, splits: Splits, settings: Settings, seed: int, budget: Budget) -> tuple[Settings, list[str]]:
    """The settings with the batch size that this machine likes in place of "auto", and a sentence about it.

    Raises:
        UsageError: "auto" with a budget of steps, whose result would depend on the machine's mood.
    """
    if settings.get("batch_size") != "auto":
        return settings, []
    if budget.seconds is None:
        raise UsageError("batch_size=auto measures this machine and goes with --minutes; give a number with --steps.")
    rest = {key: value for key, value in settings.items() if key != "batch_size"}
    trial, objective = zoo.build(model, splits.space, splits.context, len(splits.train), rest, seed=seed)
    rows = whole(first(splits.train, TRIAL_ROWS), torch.device("cpu"))
    trial.initialise(rows.x, rows.given, generator=runtime.keyed(seed, "trial"))
    objective.prepare(rows)
    speeds = fastest_batch(objective, splits.train)
    chosen, shown = next(iter(speeds)), ", ".join(f"{size}: {speeds[size]:,.0f}" for size in sorted(speeds))
    return rest | {"batch_size": chosen}, [f"batch_size {chosen} was chosen by rows a second ({shown})."]


def check_context(model: str, splits: Splits) -> None:
    """Raises a UsageError for a model that is fitted by counting and takes no image as context."""
    if splits.context is None or splits.context.is_label:
        return
    kind = zoo.entry(model, splits.space, len(splits.train))[1].model
    if issubclass(kind, ClosedForm):
        raise UsageError(f"{model} is fitted by counting and takes labels alone as context; use gan or masked-mlp.")


@torch.no_grad()
def draw_samples(run: RunFolder, model: Generative, valid: Rows, seed: int, step: int) -> None:
    """A picture of samples from the same noise at every step; one column a class, or an image that is translated."""
    model.eval()
    columns = min(model.classes, 20) or 10
    count = max(GRID // columns, 2) * columns
    given = torch.arange(count) % columns if model.classes else None
    if model.context is not None and not model.context.is_label and valid.partner is not None:
        given = valid.partner[torch.arange(count) % min(columns, len(valid))]
    x = model.sample(count, given=given, generator=runtime.keyed(seed, "grid", device=model.device))
    run.write_bytes(f"samples/step-{step:08d}.png", picture(x, model.space, columns))


def ended(
    run: RunFolder,
    splits: Splits,
    where: torch.device,
    pace: Pace | None,
    budget: Budget,
    on_record: Callable[[Record], None],
) -> Run:
    """The run with its score on validation rows, as many as there is time for, which the folder keeps."""

    def say(done: int, of: int) -> None:
        on_record(Record("note", 0, 1.0, 0.0, {"message": f"scored {done:,} of {of:,} validation rows."}))

    model = load(run.path, device=where).model
    found = last_score(model, splits.valid, pace, budget, say)
    run.write_json(SCORE, found.to_dict() | {"split": "valid"})
    floors = None if found.bits_per_dim is None else Floors.of(splits)
    useless = None if floors is None else floors.verdict(found)
    if useless is not None:
        note(run, "warning", useless, on_record)
    done = load(run.path, device=where)
    partners = (splits.found,) if isinstance(splits, Pairs) and splits.found else ()
    return replace(done, notes=partners + done.notes, splits=splits if splits.in_memory else None)


def first(rows: Rows, n: int) -> Rows:
    """The first n rows."""
    return rows.first(n)
