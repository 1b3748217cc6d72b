"""The pieces that every gradient-trained objective needs: a guarded step, a moving average, a state of tensors."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from priorcraft.errors import Diverged
from priorcraft.runtime import Key
from priorcraft.train.objective import Batch
from priorcraft.train.pieces import Pieces
from priorcraft.train.shards import Shards

Module = TypeVar("Module", bound=nn.Module)
Terms = Callable[[Batch, tuple[Key, ...]], Mapping[str, Tensor]]
OFTEN, EVERY = 100, 8  # updates after each of which an average moves, and how often it does later


class Descent:
    """An optimiser whose step refuses what is not finite, and whose state is a flat mapping of tensors.

    Args:
        named_parameters: what to optimise.
        lr: learning rate at scale 1.
        betas, weight_decay: as in AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101).
        clip: largest gradient norm; None does not clip.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        clip: float | None = None,
    ) -> None:
        self.named = dict(named_parameters)
        self.lr, self.betas, self.weight_decay, self.clip = lr, betas, weight_decay, clip
        self.moments = {name: [torch.zeros_like(p), torch.zeros_like(p)] for name, p in self.named.items()}
        self.pieces = Pieces()
        self.counts = {name: torch.zeros((), device=p.device) for name, p in self.named.items()}

    def step(
        self, batch: Batch, terms: Terms, key: tuple[Key, ...], scale: float = 1.0, shards: Shards | None = None
    ) -> dict[str, float]:
        """One step at learning rate lr * scale down the gradient of the mean of terms(...)["loss"] over the batch.

        Args:
            batch: the rows.
            terms: from rows and a key, on which its draws depend, to scalars that are means over these rows: "loss",
                which is descended, and others to record.
            key: of the step; a part of the batch has a key of its own.
            scale: of the learning rate.
            shards: how the batch is cut.

        Returns:
            The mean of every term, and "gradient_norm".

        Raises:
            Diverged: the loss or a gradient is not finite; nothing was updated.
        """
        values, gradients = self._gradients(batch, terms, key, shards or Shards())
        if not math.isfinite(values["loss"]):
            raise Diverged(f"the loss is {values['loss']} {_named(batch.rows)}; {_REMEDY}")
        norm = nn.utils.get_total_norm(gradients.values())
        if not bool(torch.isfinite(norm)):
            raise Diverged(f"the gradient of {first_bad(gradients)} is not finite {_named(batch.rows)}; {_REMEDY}")
        shrink = norm / self.clip if self.clip is not None and norm > self.clip else None
        if shrink is not None and len({g.data_ptr() for g in gradients.values()}) < len(gradients):
            # adamw divides in place: each its own memory
            gradients = {name: g.clone() for name, g in gradients.items()}
        self._move(gradients, self.lr * scale, shrink)
        return values | {"gradient_norm": float(norm)}

    def _gradients(
        self, batch: Batch, terms: Terms, key: tuple[Key, ...], shards: Shards
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """The terms, and the gradient of every parameter that the loss depends on: means over the batch."""
        parameters, names = list(self.named.values()), list[str]()

        def piece(key: tuple[Key, ...], rows: slice) -> list[Tensor]:
            own = batch.part(rows)
            found = terms(own, key)
            names[:] = found
            gradients = torch.autograd.grad(found["loss"], parameters, allow_unused=True)
            used = torch.tensor([float(g is not None) for g in gradients], device=batch.x.device)
            dense = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True)]
            return [*(term.detach() for term in found.values()), used, *dense]

        def part(s: int, rows: slice) -> list[Tensor]:
            own = key if shards.count == 1 else (*key, "shard", s)

            def cut(i: int, few: slice) -> list[Tensor]:
                return piece(own if few == rows else (*own, "piece", i), few)

            each, share = self.pieces.mean(rows, cut), (rows.stop - rows.start) / len(batch.x)
            return each if share == 1 else [number * share for number in each]

        summed = shards.total(len(batch.x), part)
        values = {name: float(value) for name, value in zip(names, summed, strict=False)}
        used, dense = summed[len(names)].tolist(), summed[len(names) + 1 :]
        found = zip(self.named.items(), dense, used, strict=True)
        return values, {name: aligned(gradient, p) for (name, p), gradient, share in found if share}

    @torch.no_grad()
    def _move(self, gradients: Mapping[str, Tensor], lr: float, shrink: Tensor | None) -> None:
        """AdamW of gradients over `shrink`, as a function: torch's optimiser objects import its compiler."""
        adamw(
            [self.named[name] for name in gradients],
            list(gradients.values()),
            [self.moments[name][0] for name in gradients],
            [self.moments[name][1] for name in gradients],
            [],
            [self.counts[name] for name in gradients],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=lr,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
            grad_scale=None if shrink is None else shrink.float(),
        )

    def state(self, prefix: str) -> dict[str, Tensor]:
        """The moments and step counts, named prefix/parameter/moment."""
        named = {"mean": 0, "square": 1}
        moments = {f"{prefix}/{n}/{key}": self.moments[n][i] for n in self.named for key, i in named.items()}
        counts = {f"{prefix}/{name}/count": count for name, count in self.counts.items()}
        return (
            moments | counts | ({f"{prefix}/pieces": torch.tensor(self.pieces.count)} if self.pieces.count > 1 else {})
        )

    def restore(self, prefix: str, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave under the same prefix."""
        self.pieces.count = 1
        for key, value in self.state(prefix).items():
            value.copy_(state[key])
        self.pieces.count = max(int(state.get(f"{prefix}/pieces", 1)), 1)


def aligned(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The gradient laid out in memory as its parameter is: the fused update takes no notice of strides."""
    same = gradient.stride() == parameter.stride()
    return gradient if same else torch.empty_like(parameter).copy_(gradient)


def first_bad(gradients: Mapping[str, Tensor]) -> str:
    """The name of the first gradient that is not finite."""
    bad = (name for name, g in gradients.items() if not bool(torch.isfinite(g).all()))
    return next(bad, "the parameters together")


_REMEDY = "try a smaller learning rate (--set lr=...), or look at these rows. The last good checkpoint is kept."


def _named(rows: Tensor) -> str:
    shown = ", ".join(str(int(r)) for r in rows[:8])
    return f"on training rows {shown}{', ...' if len(rows) > 8 else ''}"


class Average(Generic[Module]):
    """An exponential moving average of a module's weights, which starts as their plain mean.

    theta' <- theta' + (1 - d) (theta - theta'),   d = min(decay, t / (t + 9))   (Polyak & Juditsky 1992)

    After the first hundred updates it moves in every eighth, by as much as in eight: it reads and writes all weights,
    which is a tenth of a small network's step.

    Args:
        module: the module that is trained.
        decay: share of the old average that is kept in one update.
        shared: parts of it that are not averaged, but are the trained ones themselves.
    """

    def __init__(self, module: Module, decay: float = 0.999, shared: Iterable[nn.Module] = ()) -> None:
        self.decay, self.count = decay, 0
        self.module: Module = copy.deepcopy(module, {id(part): part for part in shared})
        self.mine, self.theirs = apart(self.module.parameters(), module.parameters())
        self.my_buffers, self.their_buffers = apart(self.module.buffers(), module.buffers())
        for parameter in self.mine:
            parameter.requires_grad_(False)

    def restart(self) -> None:
        """Sets the average to the module as it is."""
        self._follow(1.0)

    def update(self) -> None:
        """Moves the average towards the module."""
        self.count += 1
        every = 1 if self.count <= OFTEN else EVERY
        if self.count % every == 0:
            self._follow(1 - min(self.decay, self.count / (self.count + 9)) ** every)

    @torch.no_grad()
    def _follow(self, weight: float) -> None:
        torch._foreach_lerp_(self.mine, self.theirs, weight)  # pyright: ignore[reportPrivateImportUsage]
        for mine, other in zip(self.my_buffers, self.their_buffers, strict=True):
            mine.copy_(other)


def apart(mine: Iterable[Tensor], theirs: Iterable[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The pairs that are two tensors and not one."""
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not b]
    return [a for a, _ in pairs], [b for _, b in pairs]


def cosine(progress: float, warm: float = 0.02, floor: float = 0.0) -> float:
    """Learning-rate scale: up in the first `warm` of the budget, then down a half cosine to `floor` at its end.

    >>> [round(cosine(p), 3) for p in (0.01, 0.02, 0.51, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warm:
        return max(progress, 1e-3) / warm
    share = (progress - warm) / (1 - warm)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
