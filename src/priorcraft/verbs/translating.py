"""`translate`: images of one domain as images of another, by p(b | a); or under another label."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets.image import read_image
from priorcraft.datasets.pairs import Pairs
from priorcraft.datasets.plain import read_arrays
from priorcraft.errors import DataError, UsageError
from priorcraft.explicit.approximate.attribute import relabelled
from priorcraft.explicit.approximate.variational import Variational
from priorcraft.implicit.alignment import Alignment
from priorcraft.outputs import check_out, write_arrays, write_bytes
from priorcraft.report.grid import picture
from priorcraft.run import Run
from priorcraft.run.data import opened
from priorcraft.run.forms import PAIRS
from priorcraft.verbs.fitting import fit
from priorcraft.verbs.restoring import labelled
from priorcraft.verbs.sampling import label_of

MOST = 100_000


def fit_pairs(pairs: str | Path | Pairs, model: str, **settings: Any) -> dict[str, Any]:
    """`fit` with `form="pairs"`: p(b | a) in a run folder that `translate` takes.

    Args:
        pairs: what `open_pairs` takes.
        model: a name from `models()` that accepts images as context: gan, vae, masked-mlp, masked-conv.
        settings: as in `fit`; `out` is needed.
    """
    return fit(pairs, model, form=PAIRS, **settings)


def translate(
    run: str | Path | Run,
    images: str | Path | Tensor | Sequence[str | Path],
    n: int = 4,
    *,
    to: str | int | None = None,
    was: str | int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Draws several answers b ~ p(b | a) for every image a; or gives each image another label.

    Args:
        run: a run that `fit` made of pairs or domains; with `to`, of a VAE with labels.
        images: image files, an .npz with `a` (or `x`), or points as a tensor (B, *event_shape).
        n: answers each.
        to: name or number of the class that the images shall become (`attribute.relabelled`).
        was: the class that they are of; drawn from q(c | x) without it.
        out: .png (a contact sheet, an image a line: a itself, then its answers) or .npz of `a` and `b`.
        overwrite: replace `out`.
        seed: of the draws.
        device: auto, cpu, cuda or mps.

    Returns:
        "images", "n", "out", and "b" (images, n, *event_shape) if `out` is None.

    Raises:
        UsageError, DataError, CheckpointError: as their names say.
    """
    target = None if out is None else check_out(out, (".npz", ".png"), overwrite=overwrite)
    fitted, where = opened(run, device, translates=True)
    context, space = asked_of(fitted, to, was), fitted.model.space
    a = context.check(read(images, context), "images")
    if not 1 <= n * len(a) <= MOST:
        raise UsageError(f"n must lie in 1 ... {MOST // max(len(a), 1)} for {len(a)} images, not {n}.")
    repeated = a.repeat_interleave(n, 0).to(where)
    generator = runtime.keyed(seed, "translate", device=where)
    if to is None:
        b = fitted.model.sample(len(repeated), given=repeated, generator=generator)
    else:
        b = with_label(fitted, repeated, to, was, generator)
    b = b.cpu().unflatten(0, (len(a), n))
    answer = {"images": len(a), "n": n, "out": None if target is None else str(target)}
    if target is None:
        return answer | {"b": b}
    if target.suffix.lower() == ".npz":
        write_arrays(target, {"b": b.numpy(), "a": a.numpy()})
    else:
        write_bytes(target, contact_sheet(a, b, context, space))
    return answer


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


def read(images: str | Path | Tensor | Sequence[str | Path], context: Space) -> Tensor:
    """Points of the domain A, (B, *event_shape).

    Raises:
        DataError: none, or an .npz without `a`.
    """
    if isinstance(images, Tensor):
        return images
    paths = [Path(images)] if isinstance(images, str | Path) else [Path(path) for path in images]
    if not paths:
        raise UsageError("translate needs at least one image.")
    if paths[0].suffix.lower() == ".npz":
        return from_array(paths[0], context)
    return torch.stack([read_image(path, context) for path in paths])


def from_array(path: Path, context: Space) -> Tensor:
    """The array a, or x, of an .npz; grey images may come without their channel."""
    found = read_arrays(path, ("a", "x"))
    if not {"a", "x"} & found.keys():
        raise DataError(f"{path} must hold an array a of images, or x; found {', '.join(found) or 'nothing'}.")
    a = torch.from_numpy(found["a" if "a" in found else "x"])
    return a.unsqueeze(1) if tuple(a.shape[1:]) == context.event_shape[1:] and context.event_shape[0] == 1 else a


def contact_sheet(a: Tensor, b: Tensor, context: Space, space: Space) -> bytes:
    """A line an image: a, brought to the size of b, and its answers, under heads; PNG."""
    if not (context.is_image and space.is_image):
        return picture(b.flatten(0, 1), space, b.shape[1])
    shown = space.from_network(Alignment().onto(context.to_network(a), space.event_shape)).to(b.dtype)
    heads = ["seen", *(f"answer {i + 1}" for i in range(b.shape[1]))]
    return labelled(torch.cat([shown.unsqueeze(1), b], 1), heads, space)
