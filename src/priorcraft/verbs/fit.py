"""`fit`: a model of the user's data, in a run folder that can be killed and resumed."""

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from priorcraft import runtime
from priorcraft.datasets import Reading, Splits
from priorcraft.datasets.progress import telling
from priorcraft.errors import UsageError
from priorcraft.run import Run, load
from priorcraft.run.begun import begin, cut_into, form_of, opened_as
from priorcraft.run.resume import again, budget_of, elsewhere, reopen
from priorcraft.scale.ray_training import by_cluster
from priorcraft.scale.sources import reached
from priorcraft.scale.trained import trained
from priorcraft.scale.training import follow, follows
from priorcraft.train.holes import filled
from priorcraft.train.loop import Listener, Record, heard, silent
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
    runtime.tune()
    folder = Path(tempfile.mkdtemp(prefix="priorcraft-") if out is None else out)
    on_record = listen(model or folder.name)
    if allow_data_change and not resume:
        raise UsageError("--allow-data-change goes with --resume; a run that begins has no other data.")
    form = form_of(pairs, domains, reverse)
    if on is not None:
        told = {"minutes": minutes, "steps": steps, "seed": seed, "settings": settings, "reading": reading}
        told |= {"pairs": pairs, "domains": domains, "reverse": reverse, "device": device}
        told |= {"resume": resume, "overwrite": overwrite, "allow_data_change": allow_data_change}
        told["shards"] = shards if resume else cut_into(shards, workers or 1)
        work = partial(fit, None if data is None else reached(data), model, out=folder.absolute(), **told)
        by_cluster(work, workers or 1, on, folder, where, on_record)
        return load(folder, device=where)
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
            budget = budget_of(minutes, steps)
            with telling(heard(on_record)):
                run, splits = begin(
                    data,
                    model,
                    folder,
                    held,
                    budget,
                    seed=seed or 0,
                    overwrite=overwrite,
                    settings=settings or {},
                    reading=reading or {},
                    form=form,
                    shards=cut_into(shards, workers),
                )
            for event in run.events():  # what was found in the data, and chosen before the start
                on_record(Record("note", 0, 0.0, 0.0, {"message": str(event["message"])}))
        return trained(run, splits, budget, where, on_record, resume=resume, workers=workers or 1)
