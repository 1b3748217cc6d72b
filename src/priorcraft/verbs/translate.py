"""`translate`: images of one domain as images of another, by p(b | a); or under another label."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.answer import ARRAY, Answer, Facts, Picture, Piece
from priorcraft.condition.translated import by_windows
from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets.plain import read_arrays
from priorcraft.datasets.progress import say
from priorcraft.errors import DataError, UsageError
from priorcraft.explicit.approximate.attribute import relabelled
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.implicit.alignment import Alignment
from priorcraft.outputs import packed
from priorcraft.report.grid import picture
from priorcraft.report.sheet import sheet_of
from priorcraft.run import Run
from priorcraft.run.data import label_of, opened
from priorcraft.run.images import top_of
from priorcraft.run.sizes import read_alike, sized

MOST = 100_000
LINES, ANSWERS = 12, 8  # of the sheet that a notebook shows


@dataclass(frozen=True)
class Translated(Answer):
    """Images, and what they are in another domain or under another label.

    Args:
        images, n: how many images, and answers to each.
        b: answers, (images, n, *event_shape).
        a: what they are answers to, (images, *event_shape).
        seen: where a lives.
        space: where b lives.
    """

    writes: ClassVar = {"out": (".npz", ".png")}

    images: int
    n: int
    b: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    a: Tensor = field(repr=False, compare=False, metadata=ARRAY)
    seen: Space = field(repr=False, compare=False, metadata=ARRAY)
    space: Space = field(repr=False, compare=False, metadata=ARRAY)

    def shown(self) -> list[Piece]:
        """How many, and the first of them."""
        facts = Facts({"images": self.images, "n": self.n})
        return [facts, Picture(lambda: self.sheet(LINES, ANSWERS), "images and their answers")]

    def sheet(self, lines: int | None = None, answers: int | None = None) -> bytes:
        """A line an image: a, brought to the size of b, and its answers, under heads; PNG.

        Args:
            lines, answers: at most so many; all without them.
        """
        a, b = self.a[:lines], self.b[:lines, :answers]
        if not (self.seen.is_image and self.space.is_image):
            return picture(b.flatten(0, 1), self.space, b.shape[1])
        onto = Alignment().onto(self.seen.to_network(a), self.space.event_shape)
        shown = self.space.from_network(onto).to(b.dtype)
        heads = ["seen", *(f"answer {i + 1}" for i in range(b.shape[1]))]
        return sheet_of(torch.cat([shown.unsqueeze(1), b], 1), heads, self.space)

    def _bytes(self, what: str, suffix: str) -> bytes:
        return self.sheet() if suffix == ".png" else packed({"b": self.b.numpy(), "a": self.a.numpy()})


def translate(
    run: str | Path | Run,
    images: str | Path | Tensor | Sequence[str | Path],
    n: int = 4,
    *,
    to: str | int | None = None,
    was: str | int | None = None,
    seed: int = 0,
) -> Translated:
    """Images of one domain as images of another, several answers each.

    The answers are draws of p(b | a); with `to`, each image gets another label instead.

    Args:
        run: a run that was fitted with pairs or domains; with to, a VAE fitted to labelled data.
        images: image files of the domain A, or one .npz with an array a (or x); in Python also points as a tensor.
            Those larger than the model's are translated in windows that overlap and are blended.
        n: answers for each image.
        to: translate to this class instead: encoded under its own label, decoded under this one.
        was: the class that the images are of; drawn from q(c | x) without it.
        seed: of every random draw: the same seed gives the same answer.

    Writes:
        out (required): .png for a contact sheet, an image a line with its answers; .npz for the numbers, a and b.

    Returns:
        The images and their answers.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    fitted, where = opened(run, translates=True)
    context, space = asked_of(fitted, to, was), fitted.model.space
    a = read(images, context, top_of(fitted))
    if not 1 <= n * len(a) <= MOST:
        raise UsageError(f"n must lie in 1 ... {MOST // max(len(a), 1)} for {len(a)} images, not {n}.")

    def answer(x: Tensor) -> Tensor:
        generator = runtime.keyed(seed, "translate", device=where)  # the same noise in every window
        if to is None:
            return fitted.model.sample(len(x), given=x, generator=generator)
        return with_label(fitted, x, to, was, generator)

    b = by_windows(answer, a.repeat_interleave(n, 0).to(where), context, space)
    seen, shown = (Space(tuple(x.shape[1:]), own.levels) for x, own in ((a, context), (b, space)))
    return Translated(len(a), n, b.cpu().unflatten(0, (len(a), n)), a.cpu(), seen, shown)


def asked_of(run: Run, to: str | int | None, was: str | int | None) -> Space:
    """Where the images to be translated live.

    Raises:
        UsageError: a run that cannot translate, or not in this way.
    """
    context = run.model.context
    if to is None and was is not None:
        raise UsageError("was names the class before; name the class to become, too: --to LABEL.")
    if to is not None:
        if not isinstance(run.model, Variational) or not run.model.classes:
            raise UsageError(
                "another label needs a VAE that was fitted with labels: priorcraft fit DATA vae, where DATA has labels."
            )
        return run.model.space
    if context is None or context.is_label:
        raise UsageError(
            "translate needs a model of p(b | a) with an image as a: fit one with priorcraft fit --pairs or --domains; "
            "or, with a VAE that has labels, name the class to become: --to LABEL."
        )
    return context


def with_label(run: Run, x: Tensor, to: str | int, was: str | int | None, generator: torch.Generator) -> Tensor:
    """x with another label, points of its space."""
    assert isinstance(run.model, Variational)
    b, a = label_of(run, {"label": to}), None if was is None else label_of(run, {"label": was})
    assert b is not None
    before = torch.full((len(x),), UNLABELLED, device=x.device) if a is None else a.expand(len(x))
    mean = relabelled(run.model, x, b.expand(len(x)), before, generator=generator)
    return mean if run.model.space.levels is None else run.model.space.clamp(mean).round().long()


def read(images: str | Path | Tensor | Sequence[str | Path], context: Space, top: int | None) -> Tensor:
    """Points of the domain A, (B, *event_shape), or larger images.

    Raises:
        DataError: none, or an .npz without `a`; points that live elsewhere.
    """
    if isinstance(images, Tensor):
        return checked(images, context)
    paths = [Path(images)] if isinstance(images, str | Path) else [Path(path) for path in images]
    if not paths:
        raise UsageError("translate needs at least one image.")
    if paths[0].suffix.lower() == ".npz":
        return checked(from_array(paths[0], context), context)
    return read_alike(paths, context, top)


def checked(a: Tensor, context: Space) -> Tensor:
    """Points of a space, or images of its channels and levels of another size, by the rule of windows.

    Raises:
        DataError: other points.
    """
    if not context.is_image or a.dim() != 4 or a.shape[1] != context.event_shape[0]:
        return context.check(a, "images")
    shape, said = sized("each image", (a.shape[2], a.shape[3]), context, windows=True)
    if said is not None:
        say(said)
    return Space((context.event_shape[0], *shape), context.levels).check(a, "images")


def from_array(path: Path, context: Space) -> Tensor:
    """The array a, or x, of an .npz; grey images may come without their channel."""
    found = read_arrays(path, ("a", "x"))
    if not {"a", "x"} & found.keys():
        raise DataError(f"{path} must hold an array a of images, or x; found {', '.join(found) or 'nothing'}.")
    a = torch.from_numpy(found["a" if "a" in found else "x"])
    return a.unsqueeze(1) if tuple(a.shape[1:]) == context.event_shape[1:] and context.event_shape[0] == 1 else a
