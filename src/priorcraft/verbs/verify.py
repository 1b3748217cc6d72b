"""`verify`: what of a run is sound, and what can be saved."""

from dataclasses import dataclass
from pathlib import Path

import torch

from priorcraft.answer import Answer, Facts, Piece, Rows, Sentence
from priorcraft.errors import CheckpointError, PriorcraftError
from priorcraft.run import Run, rebuild
from priorcraft.train import checkpoint
from priorcraft.train.checkpoint import load_into
from priorcraft.train.recorded import restore
from priorcraft.train.run_folder import RunFolder

SOUND = "sound"


@dataclass(frozen=True)
class Checked(Answer):
    """One checkpoint of a run.

    Args:
        name: of its folder.
        found: "sound", or what is wrong with it.
        resumes: whether a training can go on from it.
    """

    name: str
    found: str
    resumes: bool


@dataclass(frozen=True)
class Verified(Answer):
    """What a run folder holds.

    Args:
        run: the folder.
        ok: whether the newest checkpoint is sound, so that every question can be asked.
        config: "sound", or what is wrong with what was asked for; nothing can be saved then.
        checkpoints: newest first.
        events: how many are recorded.
        advice: what to do.
    """

    run: Path
    ok: bool
    config: str
    checkpoints: tuple[Checked, ...]
    events: int
    advice: str

    def shown(self) -> list[Piece]:
        """The findings, a line for each checkpoint, and what to do."""
        facts = Facts({"run": str(self.run), "config": self.config, "events": self.events})
        return [
            facts,
            *([Rows([each.to_dict() for each in self.checkpoints])] if self.checkpoints else []),
            Sentence(self.advice),
        ]


def verify(folder: str | Path | Run) -> Verified:
    """Check a run from end to end: its description, every checkpoint by its SHA-256, and whether they fit each other.

    Nothing is changed; a run that is being trained may be looked at.

    Args:
        folder: of the run; in Python also what `fit` and `load` return.

    Raises:
        CheckpointError: no run folder is there, or a newer version made it.

    >>> import tempfile
    >>> from priorcraft.verbs.fit import fit
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = fit("digits", "naive-bayes", out=folder + "/nb", steps=2)
    ...     verify(made).advice
    'The run is sound.'
    """
    run = RunFolder.open(folder.path if isinstance(folder, Run) else Path(folder))
    try:
        rebuild(run.config)
    except PriorcraftError as error:
        config = str(error)
    else:
        config = SOUND
    found = tuple(_checked(run, path, config == SOUND) for path in checkpoint.every(run.checkpoints))
    ok = config == SOUND and bool(found) and found[0].found == SOUND
    return Verified(run.path, ok, config, found, len(run.events()), _advice(run, config, found))


def _checked(folder: RunFolder, path: Path, described: bool) -> Checked:
    """What one checkpoint is worth: its bytes, and whether model and objective take them."""
    try:
        saved = checkpoint.read(path)
        if described:
            model, _ = rebuild(folder.config)
            load_into(model, saved.file("model"))
    except PriorcraftError as error:
        return Checked(path.name, str(error), False)
    try:
        if described:
            restore(rebuild(folder.config)[1], saved)
    except (CheckpointError, torch.OutOfMemoryError):
        return Checked(path.name, SOUND, False)
    return Checked(path.name, SOUND, described)


def _advice(folder: RunFolder, config: str, found: tuple[Checked, ...]) -> str:
    """What to do with a run."""
    sound = [each for each in found if each.found == SOUND]
    if config != SOUND:
        return "config.json is damaged: repair what is named above; the weights alone do not say what they belong to."
    if not found:
        return f"There is no checkpoint yet: priorcraft fit --resume --out {folder.path} begins the training."
    if found[0].found == SOUND:
        return "The run is sound."
    if not sound:
        return "No checkpoint is sound: nothing can be saved; fit anew with --overwrite."
    going = (
        f"priorcraft fit --resume --out {folder.path} goes on from it"
        if sound[0].resumes
        else "it cannot be trained on"
    )
    return (
        f"The last checkpoint is damaged, {sound[0].name} is sound: {going}; in Python, "
        f"load('{folder.path}', fall_back=True) opens it."
    )
