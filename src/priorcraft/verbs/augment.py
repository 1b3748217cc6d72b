"""`augment`: samples added to a training set, after a proof of whether they help."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Answer, Piece, Sentence
from priorcraft.answer import Rows as Table
from priorcraft.classifiers.discriminative import Discriminative
from priorcraft.core import UNLABELLED
from priorcraft.datasets import Rows, Splits
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.gain import (
    CLASSICAL,
    SYNTHETIC,
    Arm,
    Draw,
    Fit,
    Gain,
    Proof,
    Verdict,
    between,
    classically,
    known,
    prove,
)
from priorcraft.metrics.vetted import RULE, Refused, Vetted, wanted_counts
from priorcraft.report.training_set import TrainingSet
from priorcraft.run import Run
from priorcraft.run.data import labelled_data, opened, own_data

MOST = 100_000  # rows added
LONG = "--workers N --out FOLDER draws any number in chunks."
SEEN = 1e-6  # distance up to which two rows are the same


@dataclass(frozen=True)
class GainOf(Gain):
    """The gain with a number of samples.

    Args:
        mean, interval: as in `metrics.gain.Gain`.
        n: samples.
    """

    n: int


@dataclass(frozen=True)
class HeldOut(Answer):
    """What the proof rests on.

    Args:
        rows: test rows that neither the classifiers nor the model saw.
        left_out_as_seen: test rows that the model was fitted to.
        repeats: paired draws of the added rows.
        classifier: who shall gain.
    """

    rows: int
    left_out_as_seen: int
    repeats: int
    classifier: str


@dataclass(frozen=True)
class Augmented(Answer):
    """Samples to add to a training set, and whether a classifier gains by them.

    Args:
        verdict: of the gain.
        gain: accuracy with the samples minus accuracy with real rows alone.
        over_classical: the same over real rows and classical augmentation.
        table: every training set.
        per_class: the gain in each class, by its name.
        sizes: the gain with fewer samples; () where it was not asked for.
        rule: by which samples are taken.
        refused: how many were not.
        held_out: what the proof rests on.
        n: samples that are added: none where they shall be only if they help, and do not.
        training_set: the data and the samples.
        run: the model that drew them.
    """

    writes: ClassVar = {"out": (".npz", ".csv")}

    verdict: Verdict
    gain: Gain
    over_classical: Gain
    table: tuple[Arm, ...]
    per_class: Mapping[str, float]
    sizes: tuple[GainOf, ...]
    rule: str
    refused: Refused
    held_out: HeldOut
    n: int
    training_set: TrainingSet = field(repr=False, compare=False, metadata=ARRAY)
    run: Run = field(repr=False, compare=False, metadata=ARRAY)

    @property
    def added(self) -> Rows:
        """The samples and their classes by number."""
        return self.training_set.added

    def shown(self) -> list[Piece]:
        """The proof as a table, and the verdict as a sentence."""
        told = [f"Verdict: {self.verdict}. Gain {self.gain} over real rows alone, {self.over_classical} over classical "
                "augmentation."]  # fmt: skip
        told += [f"with {size.n} samples: {size}" for size in self.sizes]
        told += [f"rule: {self.rule}; " + ", ".join(f"{name} {n}" for name, n in self.refused.to_dict().items())]
        told += [f"{self.n} samples are added." if self.n else "nothing is added: the verdict is not helps."]
        lines = [arm.to_dict() | {"interval": between(arm.interval)} for arm in self.table]
        return [Table(lines), *map(Sentence, told)]

    @classmethod
    def writable(cls, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Path:
        """An .npz or .csv, or a folder that is new or empty.

        Raises:
            UsageError: what may not be written.
        """
        path = Path(path)
        if path.suffix:
            return super().writable(path, what, overwrite=overwrite)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path} exists; choose a folder that is new or empty.")
        return path

    def save(self, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Self:
        """Writes the training set with the samples; nothing where none are added.

        Args:
            path: .npz, .csv of the samples alone where the data are a table, or a folder for images.
            what: "out".
            overwrite: whether a file that is there may be replaced.

        Raises:
            UsageError: what may not be written, or a form that these data do not have.
        """
        if not self.n:
            return self
        target = self.writable(path, what, overwrite=overwrite)
        if target.suffix:
            return super().save(target, what, overwrite=overwrite)
        self.training_set.write_folder(target)
        self.saved[what] = str(target)
        return self

    def _bytes(self, what: str, suffix: str) -> bytes:
        return self.training_set.csv(self.run.columns) if suffix == ".csv" else self.training_set.npz()


def augment(
    data: str | Path | Splits,
    run: str | Path | Run,
    *,
    per_class: int,
    balance: bool = False,
    classifier: str = "svm",
    repeats: int = 5,
    sizes: bool = False,
    only_if_helps: bool = False,
    seed: int = 0,
) -> Augmented:
    """Add samples to a training set, and prove whether that helps.

    A sample is added if the copy check does not suspect it, and if a classifier fitted to the real labelled rows gives
    its class a probability of at least 0.05. In the proof the same classifier learns from real rows, real + classical,
    real + synthetic, and synthetic rows alone, and is asked about test rows.

    With --workers or --on, samples alone are drawn, any number of them, into a folder of chunks, without a proof.

    Args:
        data: the data to add to, with labels.
        run: the run folder of a model that was fitted to them, of any family, or what `fit` and `load` return.
        per_class: samples to add to each class.
        balance: instead, fill each class up to per_class rows.
        classifier: who shall gain: logistic, svm, boosting or network.
        repeats: paired draws of the added rows.
        sizes: measure the gain with a quarter and a half of the samples, too.
        only_if_helps: add nothing unless it helps.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out (required): .npz, or a new folder for images; of a table also a .csv of the added rows alone.

    Returns:
        The samples, and the gain over real rows alone with its 95 % interval.

    Raises:
        UsageError, DataError: as their names say.
    """
    fitted, _ = opened(run)
    if not fitted.classes:
        raise UsageError("augment needs samples of a class, and this model saw data without labels of two classes.")
    splits = labelled_data(fitted, data)
    wanted = wanted_labels(splits, per_class, balance)
    held_out, seen = unseen(fitted, splits)
    source = Vetted(fitted.model, splits, seed)
    real = splits.train.where(known(splits.train) != UNLABELLED)
    arms: dict[str, Draw] = {CLASSICAL: classically(real, splits.space), SYNTHETIC: source.draw}

    def fit(repeat: int) -> Fit:
        return lambda x, y: Discriminative(classifier, splits.space, len(splits.classes), seed=repeat).fit(x, y)

    def proof_with(labels: Tensor) -> Proof:
        return prove(splits.train, held_out, arms, fit, labels, repeats=repeats, seed=seed)

    proof = proof_with(wanted)
    gain = proof.gain(SYNTHETIC)
    fewer = [wanted[::part] for part in ((4, 2) if sizes else ())]
    curve = tuple(GainOf(**vars(proof_with(labels).gain(SYNTHETIC)), n=len(labels)) for labels in fewer)
    added = source.draw(wanted, runtime.keyed(seed, "augment", "written"))
    return Augmented(
        verdict=gain.verdict,
        gain=gain,
        over_classical=proof.gain(SYNTHETIC, CLASSICAL),
        table=proof.table(),
        per_class=proof.per_class(splits.classes),
        sizes=curve,
        rule=RULE,
        refused=source.refused,
        held_out=HeldOut(len(held_out), seen, repeats, classifier),
        n=0 if only_if_helps and gain.verdict is not Verdict.HELPS else len(added),
        training_set=TrainingSet(splits, added, fitted.name, seed),
        run=fitted,
    )


def wanted_labels(splits: Splits, per_class: int, balance: bool) -> Tensor:
    """Labels of the samples to add, (n,)."""
    if not 1 <= per_class * len(splits.classes) <= MOST:
        most = MOST // max(len(splits.classes), 1)
        raise UsageError(f"per_class must lie in 1 ... {most}, not {per_class}; {LONG}")
    counts = wanted_counts(splits, per_class, balance=balance)
    return torch.arange(len(counts)).repeat_interleave(counts)


def unseen(run: Run, splits: Splits) -> tuple[Rows, int]:
    """Test rows that the run was not fitted to, and how many others were left out.

    Raises:
        DataError: none is left.
    """
    held_out = splits.test
    if run.data["fingerprint"] == splits.fingerprint:
        return held_out, 0
    trained = own_data(run).train.x.flatten(1).float()
    rows = held_out.x.flatten(1).float().split(256)
    fresh = torch.cat([torch.cdist(x, trained).amin(1) > SEEN for x in rows])
    if not bool(fresh.any()):
        raise DataError("the run was fitted to every test row of these data; fit it to their training rows.")
    return held_out.where(fresh), int((~fresh).sum())
