"""What fitted models make of one masked image and of one small one: p(x | y), cheap enough for every report."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Answer
from priorcraft.condition.enlarged import upscale
from priorcraft.condition.restoration import Restoration, complaints
from priorcraft.condition.tiles import inpaint
from priorcraft.core import Generative, LinearObservation, Space
from priorcraft.errors import DataError, NoDensity
from priorcraft.observe import BlockMean, Mask
from priorcraft.observe.named import named_mask
from priorcraft.report.contact import contact_sheet
from priorcraft.report.figures import Figures, figures
from priorcraft.report.sheet import sheet_of

DRAWS, SHOWN, FACTOR = 8, 4, 2
MASK = "bottom"
LARGE, HUGE = 256, 4096  # entries of an image above which block means, or all completions, take too long for a look
Complete = Callable[[Generative, Generator], Restoration]


@dataclass(frozen=True)
class Task:
    """Some images, what is seen of them, and how a model completes them.

    Args:
        title: what is hidden.
        observation, y: what is seen, (B, ...).
        seen: True where `shown` is seen, (*event_shape).
        shown: what was seen at the size of x, (B, *event_shape).
        truth: (B, *event_shape).
        complete: completions by a model.
    """

    title: str
    observation: LinearObservation
    y: Tensor
    seen: Tensor
    shown: Tensor
    truth: Tensor
    complete: Complete


@dataclass(frozen=True)
class Completed(Answer):
    """What one model made of a task.

    Args:
        task: what was hidden.
        said: kind, method and a few figures, or why there is no answer.
        notes: what has to be said about an engine that did badly.
        psnr: of the means, dB; None without an answer.
        picture: seen · completions · mean · uncertainty · truth, as PNG; None without an answer.
    """

    task: str
    said: str
    notes: tuple[str, ...]
    psnr: float | None
    picture: bytes | None = field(repr=False, compare=False, metadata=ARRAY)


def tasks_for(truth: Tensor, space: Space) -> list[Task]:
    """The lower half hidden, and block means of small images; only for images of integers, and not for huge ones.

    Args:
        truth: images, (B, *event_shape).
        space: where it lives.
    """
    if not space.is_image or space.levels is None or min(space.event_shape[1:]) < FACTOR or space.dims > HUGE:
        return []
    truth, even = truth.long(), not any(side % FACTOR for side in space.event_shape[1:])
    return [_masked(truth, space), *([_small(truth)] if even and space.dims <= LARGE else [])]


def _masked(truth: Tensor, space: Space) -> Task:
    seen = named_mask(MASK, space)
    y = Mask(seen).forward(truth)

    def complete(model: Generative, generator: Generator) -> Restoration:
        where = model.device
        return inpaint(model, truth.to(where), seen.to(where), SHOWN, draws=DRAWS, generator=generator)

    return Task(f"the {MASK} half hidden", Mask(seen), y, seen, y, truth, complete)


def _small(truth: Tensor) -> Task:
    observation, everything = BlockMean(FACTOR), torch.ones_like(truth[0], dtype=torch.bool)
    y = observation.forward(truth)
    sums = (y * FACTOR**2).round().long()

    def complete(model: Generative, generator: Generator) -> Restoration:
        return upscale(model, sums.to(model.device), FACTOR, SHOWN, draws=DRAWS, generator=generator)

    shown = (observation.adjoint(y) * FACTOR**2).round().long()
    height, width = y.shape[-2:]
    title = f"{width} × {height} block means, {FACTOR} times smaller"
    return Task(title, observation, y, everything, shown, truth, complete)


def completed(model: Generative, task: Task, *, generator: Generator) -> Completed:
    """Completions and what to say of them; a sentence where the model's engine has no answer."""
    try:
        with runtime.plain_products():  # many small products of many shapes
            done = task.complete(model, generator)
    except (DataError, NoDensity) as reason:
        return Completed(task.title, f"no answer: {reason}", (), None, None)
    scored = ~task.seen if isinstance(task.observation, Mask) else task.seen
    found = figures(done, task.observation, task.y, task.truth, scored, model.space, generator=generator)
    return Completed(
        task.title, sentence(done, found), tuple(complaints(done)), found.psnr_mean, strip(done, task, model.space)
    )


def strip(done: Restoration, task: Task, space: Space) -> bytes:
    """seen · completions · mean · uncertainty · truth, as PNG."""
    cells, heads = contact_sheet(done, task.seen, task.shown, task.truth, space)
    return sheet_of(cells[:1], heads, space)


def sentence(done: Restoration, found: Figures) -> str:
    """Kind, method and figures in one line."""
    parts = [f"{done.kind}: {done.method}"]
    if found.psnr_mean is not None:
        parts.append(f"mean {found.psnr_mean:.1f} dB")
    if found.bits_per_hidden is not None:
        parts.append(f"{found.bits_per_hidden:.2f} bits a hidden pixel")
    if "effective_share" in done.diagnostics:
        parts.append(f"{done.diagnostics['effective_share']:.1%} of first draws count")
    if "acceptance" in done.diagnostics:
        parts.append(f"{done.diagnostics['acceptance']:.0%} of moves accepted")
    parts.append(f"off by {found.consistency:.2g} where seen" if found.consistency else "agrees with what is seen")
    return " · ".join([*parts, f"{done.seconds:.2f} s"])
