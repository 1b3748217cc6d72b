"""`augment`: samples added to a training set, after a proof of whether they help."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.classifiers.discriminative import Discriminative
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError, PriorcraftError, UsageError
from priorcraft.metrics.copies import CopyTest
from priorcraft.metrics.gain import CLASSICAL, REAL, SYNTHETIC, classically, known, prove
from priorcraft.outputs import check_out
from priorcraft.run import Run
from priorcraft.run.data import opened, own_data
from priorcraft.verbs.augmented import write_augmented
from priorcraft.verbs.classifying import labelled_data
from priorcraft.verbs.sampling import columns_for

CONFIDENCE = 0.05
ATTEMPTS = 6  # rounds of drawing before a class is given up
MOST = 100_000  # rows added
SEEN = 1e-6


def augment(
    data: str | Path | Splits,
    run: str | Path | Run,
    *,
    per_class: int,
    balance: bool = False,
    out: str | Path,
    classifier: str = "svm",
    repeats: int = 5,
    sizes: bool = False,
    only_if_helps: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Adds class-conditional samples to the training rows, and says whether a classifier gains by them.

    A sample is added if the copy check does not suspect it, and if a classifier fitted to the real labelled rows gives
    its class a probability of at least 0.05. The proof is made before anything is written: the same classifier learns
    from real rows, real + classical, real + synthetic, and synthetic rows alone, and is asked about test rows.

    Args:
        data: what `open_data` takes, with labels.
        run: a run fitted to these data with labels, of any family.
        per_class: samples to add to each class.
        balance: instead, fill each class up to this number.
        out: .npz, or a folder for images, in which rows are kept by part and class; of a table also a .csv of the added
            rows alone, under the names of its columns.
        classifier: "logistic", "svm", "boosting" or "network".
        repeats: paired draws of the added rows.
        sizes: measure the gain with a quarter and a half of the samples, too.
        only_if_helps: write nothing unless the verdict is "helps".
        overwrite: replace `out`.
        seed: of every draw.
        device: auto, cpu, cuda or mps.

    Returns:
        "verdict" ("helps", "does not help", "cannot tell"), "gain" {"mean", "interval"} over real rows alone,
        "over_classical" the same over real + classical, "table", "per_class", "sizes", "rule", "refused" (numbers of
        drawn, suspected and doubted samples), "out", "n" (samples written).

    Raises:
        UsageError, DataError: as their names say.
    """
    target = checked_target(Path(out), overwrite)
    fitted, _ = opened(run, device)
    columns_for(fitted, target)
    if not fitted.classes:
        raise UsageError("augment needs samples of a class, and this model saw data without labels of two classes.")
    splits = labelled_data(fitted, data)
    wanted = wanted_labels(splits, per_class, balance)
    held_out, seen = unseen(fitted, splits)
    source = Source(fitted, splits, seed)
    arms = {CLASSICAL: classically(splits.train.where(known(splits.train) != UNLABELLED), splits.space),
            SYNTHETIC: source.draw}  # fmt: skip

    def fit(repeat: int) -> Callable[[Tensor, Tensor], Discriminative]:
        return lambda x, y: Discriminative(classifier, splits.space, len(splits.classes), seed=repeat).fit(x, y)

    proof = prove(splits.train, held_out, arms, fit, wanted, repeats=repeats, seed=seed)
    gain = proof.gain(SYNTHETIC)
    curve = [at_size(s, splits, held_out, arms, fit, wanted, repeats, seed) for s in ((4, 2) if sizes else ())]
    write = gain.verdict.value == "helps" or not only_if_helps
    added = source.draw(wanted, runtime.keyed(seed, "augment", "written"))
    if write:
        write_augmented(target, splits, added, fitted, seed)
    return {
        "verdict": gain.verdict.value,
        "gain": gain.as_dict(),
        "over_classical": proof.gain(SYNTHETIC, CLASSICAL).as_dict(),
        "table": proof.table(),
        "per_class": proof.per_class(splits.classes),
        "sizes": curve,
        "rule": f"not suspected by the copy check, and p(class | x) >= {CONFIDENCE} by a classifier of the real rows",
        "refused": dict(source.refused),
        "held_out": {"rows": len(held_out), "left_out_as_seen": seen, "repeats": repeats, "classifier": classifier},
        "out": str(target) if write else None,
        "n": len(added) if write else 0,
    }


def checked_target(out: Path, overwrite: bool) -> Path:
    """The .npz or the folder to write."""
    if out.suffix:
        return check_out(out, (".npz", ".csv"), overwrite=overwrite)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists; choose a folder that is new or empty.")
    return out


def wanted_labels(splits: Splits, per_class: int, balance: bool) -> Tensor:
    """Labels of the samples to add, (n,)."""
    if not 1 <= per_class * len(splits.classes) <= MOST:
        raise UsageError(f"per_class must lie in 1 ... {MOST // max(len(splits.classes), 1)}, not {per_class}.")
    y = known(splits.train)
    counts = torch.bincount(y[y != UNLABELLED], minlength=len(splits.classes))
    empty = [splits.classes[c] for c in (counts == 0).nonzero().flatten().tolist()]
    if empty:
        raise DataError(f"class '{empty[0]}' has no labelled training row, so nothing says what it is; label some.")
    missing = (per_class - counts).clamp_min(0) if balance else torch.full_like(counts, per_class)
    if not int(missing.sum()):
        raise UsageError(f"every class has {per_class} rows or more; there is nothing to balance.")
    return torch.arange(len(counts)).repeat_interleave(missing)


def unseen(run: Run, splits: Splits) -> tuple[Rows, int]:
    """Test rows that the run was not fitted to, and how many others were left out.

    Raises:
        DataError: none is left.
    """
    held_out = splits.test
    if run.data["fingerprint"] == splits.fingerprint:
        return held_out, 0
    trained = own_data(run).train.x
    fresh = torch.cat([torch.cdist(x, trained.flatten(1).float()).amin(1) > SEEN for x in
                       held_out.x.flatten(1).float().split(256)])  # fmt: skip
    if not bool(fresh.any()):
        raise DataError("the run was fitted to every test row of these data; fit it to their training rows.")
    return held_out.where(fresh), int((~fresh).sum())


class Source:
    """Samples of asked classes that pass the copy check and the confidence rule.

    Args:
        run: the model, of any family.
        splits: the data.
        seed: of the check's draws.
    """

    def __init__(self, run: Run, splits: Splits, seed: int) -> None:
        y = known(splits.train)
        self.run, self.copies = run, CopyTest(splits, seed=seed)
        self.judge = Discriminative("logistic", splits.space, len(splits.classes)).fit(splits.train.x, y)
        self.refused = {"drawn": 0, "suspected copies": 0, "doubted": 0}

    def draw(self, wanted: Tensor, generator: Generator) -> Rows:
        """One sample for each label, (n,); labels that six rounds could not serve are left out."""
        missing, x, y = wanted, [], []
        for attempt in range(ATTEMPTS):
            device = self.run.model.log_prior.device
            noise = runtime.keyed(int(torch.randint(2**62, (1,), generator=generator)), attempt, device=device)
            found = self.run.model.sample(len(missing), given=missing.to(device), generator=noise).cpu()
            fine = self._passes(found, missing)
            x.append(found[fine])
            y.append(missing[fine])
            missing = missing[~fine]
            if not len(missing):
                break
        rows = Rows(torch.cat(x), torch.cat(y))
        if len(known(rows).unique()) < len(wanted.unique()):
            raise PriorcraftError("no sample of some class passes the copy check and the confidence rule; train longer "
                                  "or take another model.")  # fmt: skip
        return rows

    def _passes(self, x: Tensor, y: Tensor) -> Tensor:
        suspected = self.copies.suspects(x)
        doubted = self.judge.log_posterior(x).gather(1, y[:, None])[:, 0].exp() < CONFIDENCE
        for name, bad in (("drawn", torch.ones_like(doubted)), ("suspected copies", suspected), ("doubted", doubted)):
            self.refused[name] += int(bad.sum())
        return ~(suspected | doubted)


def at_size(
    part: int, splits: Splits, held_out: Rows, arms: Any, fit: Any, wanted: Tensor, repeats: int, seed: int
) -> dict[str, Any]:
    """The gain with a part of the samples."""
    fewer = wanted[::part]
    gain = prove(splits.train, held_out, arms, fit, fewer, repeats=repeats, seed=seed).gain(SYNTHETIC, REAL)
    return {"n": len(fewer), **gain.as_dict()}
