"""The pieces that every gradient-trained objective needs: a guarded step, a moving average, a state of tensors."""

import copy
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from priorcraft.errors import Diverged

Module = TypeVar("Module", bound=nn.Module)


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
        self.lr, self.clip = lr, clip
        self.optimiser = torch.optim.AdamW(
            self.named.values(), lr=lr, betas=betas, weight_decay=weight_decay, fused=True
        )

    def step(self, loss: Tensor, rows: Tensor, scale: float = 1.0) -> float:
        """One step down the gradient of `loss` at learning rate lr * scale; returns the gradient norm.

        Raises:
            Diverged: the loss or a gradient is not finite; nothing was updated.
        """
        if not bool(torch.isfinite(loss)):
            raise Diverged(f"the loss is {float(loss.detach())} {_named(rows)}; {_REMEDY}")
        gradients = torch.autograd.grad(loss, list(self.named.values()), allow_unused=True)
        for parameter, gradient in zip(self.named.values(), gradients, strict=True):
            parameter.grad = gradient
        norm = float(nn.utils.clip_grad_norm_(self.named.values(), self.clip or float("inf")))
        if not norm < float("inf"):
            raise Diverged(f"the gradient of {self._first_bad()} is not finite {_named(rows)}; {_REMEDY}")
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr * scale
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return norm

    def _first_bad(self) -> str:
        bad = (n for n, p in self.named.items() if p.grad is not None and not bool(torch.isfinite(p.grad).all()))
        return next(bad, "the parameters together")

    def state(self, prefix: str) -> dict[str, Tensor]:
        """The moments and step counts, named prefix/parameter/moment."""
        names = list(self.named)
        entries = self.optimiser.state_dict()["state"]
        return {
            f"{prefix}/{names[i]}/{key}": torch.as_tensor(value)
            for i, moments in entries.items()
            for key, value in moments.items()
        }

    def restore(self, prefix: str, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave under the same prefix."""
        names = {name: i for i, name in enumerate(self.named)}
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            if key.startswith(f"{prefix}/"):
                name, moment = key.removeprefix(f"{prefix}/").rsplit("/", 1)
                entries.setdefault(names[name], {})[moment] = value
        saved = self.optimiser.state_dict()
        self.optimiser.load_state_dict({"state": entries, "param_groups": saved["param_groups"]})


_REMEDY = "try a smaller learning rate (--set lr=...), or look at these rows. The last good checkpoint is kept."


def _named(rows: Tensor) -> str:
    shown = ", ".join(str(int(r)) for r in rows[:8])
    return f"on training rows {shown}{', ...' if len(rows) > 8 else ''}"


class Average(Generic[Module]):
    """An exponential moving average of a module's weights, which starts as their plain mean.

    theta' <- theta' + (1 - d) (theta - theta'),   d = min(decay, t / (t + 9))   (Polyak & Juditsky 1992)

    Args:
        module: the module that is trained.
        decay: share of the old average that is kept in one update.
    """

    def __init__(self, module: Module, decay: float = 0.999) -> None:
        self.decay, self.count = decay, 0
        self.module: Module = copy.deepcopy(module).requires_grad_(False)

    def restart(self, module: nn.Module) -> None:
        """Sets the average to `module` as it is."""
        self.module.load_state_dict(module.state_dict())

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Moves the average towards `module`."""
        self.count += 1
        weight = 1 - min(self.decay, self.count / (self.count + 9))
        for mine, other in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(other, weight)
        for mine, other in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(other)


def cosine(progress: float, warm: float = 0.02, floor: float = 0.0) -> float:
    """Learning-rate scale: up in the first `warm` of the budget, then down a half cosine to `floor` at its end.

    >>> [round(cosine(p), 3) for p in (0.01, 0.02, 0.51, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warm:
        return max(progress, 1e-3) / warm
    share = (progress - warm) / (1 - warm)
    return floor + (1 - floor) * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * min(share, 1.0)))))
