"""`fit`: a model of the user's data, in a run folder that can be killed and resumed."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from priorcraft import runtime
from priorcraft.datasets import Reading, Splits
from priorcraft.errors import UsageError
from priorcraft.run import Run, load
from priorcraft.run.begun import Asked, begin, cut_into, form_of
from priorcraft.run.resume import again, reopen
from priorcraft.scale.ray_training import by_cluster
from priorcraft.scale.sources import reached
from priorcraft.scale.trained import trained
from priorcraft.scale.training import follow, follows
from priorcraft.train.holes import filled
from priorcraft.train.loop import Listener, Record, silent
from priorcraft.train.run_folder import RunFolder
from priorcraft.zoo import Settings


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
    on: str | None = None,
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
        on: the address of a Ray cluster on which the workers train, ray://HOST:10001 or auto; local starts one here.
            Every node must reach the data and the run folder.
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
    folder = Path(tempfile.mkdtemp(prefix="priorcraft-") if out is None else out)
    on_record = listen(model or folder.name)
    if allow_data_change and not resume:
        raise UsageError("--allow-data-change goes with --resume; a run that begins has no other data.")
    processes = workers if on is None else workers or 1
    form, cut = form_of(pairs, domains, reverse), shards if resume else cut_into(shards, processes)
    asked = Asked(data, model, minutes, steps, seed, settings or {}, reading or {}, form, cut)
    how = {"device": device, "resume": resume, "overwrite": overwrite, "allow_data_change": allow_data_change}
    if on is None:
        return _fitted(asked, folder, on_record, workers=workers or 1, **how)
    work = partial(
        _fitted, replace(asked, data=None if data is None else reached(data)), folder.absolute(), silent(""), **how
    )
    by_cluster(work, workers or 1, on, folder, where, on_record)
    return load(folder, device=where)


def _fitted(
    asked: Asked,
    folder: Path,
    on_record: Callable[[Record], None],
    *,
    device: str,
    resume: bool,
    overwrite: bool,
    allow_data_change: bool,
    workers: int = 1,
) -> Run:
    """The run that this process and its workers train; one of several that train together only follows them."""
    where = runtime.pick_device(device)
    runtime.tune()
    if follows():
        own = int(RunFolder.open(folder).config["seed"]) if resume else asked.seed or 0
        follow(filled(again(folder, asked.data) if resume else asked.opened(), seed=own), where)
    with ExitStack() as held:  # the run's lock, from its creation to its end
        if resume:
            changes = {"overwrite": overwrite, "allow_data_change": allow_data_change}
            run, splits, budget = reopen(asked, folder, held, on_record, **changes)
        else:
            run, splits, budget = begin(asked, folder, held, on_record, overwrite=overwrite)
        return trained(run, splits, budget, where, on_record, resume=resume, workers=workers)
