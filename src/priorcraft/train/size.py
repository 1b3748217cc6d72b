"""The size of a mixture, chosen by what it says of rows that it was not fitted to."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.explicit.exact.mixture import FiniteMixture
from priorcraft.runtime import Key
from priorcraft.train.likelihood import ExpectationMaximisation, Tolerance, mean_nats
from priorcraft.train.objective import Batch

PATIENCE = 4  # updates without a gain on held-out rows, after which a size has had its turn


class MixtureChoice(ExpectationMaximisation):
    """EM for one number of components after another, until more of them say less of the held-out rows.

    The mixture that said most of them at any time is kept, so a size stops before it is overfitted. Held-out rows
    choose among a few dozen mixtures: what they say of the winner is a little optimistic, what test rows say is not.

    Args:
        model: a mixture; with one size it is fitted as it is.
        tolerance: nats by which the mean log-likelihood of the training rows must still rise.
    """

    def __init__(self, model: FiniteMixture, *, tolerance: Tolerance = 1e-4) -> None:
        super().__init__(model, tolerance=tolerance)
        self.mixture, self.kept = model, copy.deepcopy(model)
        self.turn, self.idle, self.fresh = 0, 0, False
        self.nats = torch.full((len(model.sizes),), float("inf"), dtype=torch.float64)

    def prepare(self, held_out: Batch) -> None:
        """Keeps the rows that choose."""
        self.held_out = held_out
        self.kept.load_state_dict(self.model.state_dict())

    @property
    def averaged(self) -> FiniteMixture:
        """The best mixture so far."""
        return self.kept

    @property
    def finished(self) -> bool:
        """Whether every size, or one too many, has had its turn."""
        return self.turn == len(self.nats)

    def step(self, batch: Batch, *, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One update of the size whose turn it is."""
        if self.fresh:
            generator = runtime.keyed(*key, "start", device=batch.x.device)
            self.mixture.begin(self.mixture.sizes[self.turn], batch.x, generator=generator)
            self.last, self.gain, self.fresh = -float("inf"), float("inf"), False
        values = super().step(batch, progress=progress, key=key)
        values |= {"components": float(self.mixture.used), "held_out_nats": self._judge()}
        share = (self.turn + 1) / len(self.nats)
        if self.gain < self.tolerance or self.idle >= PATIENCE or (progress >= share and len(self.nats) > 1):
            self._next()
        return values

    @torch.no_grad()
    def _judge(self) -> float:
        """Mean of -log p of the held-out rows; keeps the mixture if it is the best of all."""
        nats = mean_nats(self.mixture, self.held_out)
        if nats < float(self.nats.min()):
            self.kept.load_state_dict(self.model.state_dict())
        self.idle = 0 if nats < float(self.nats[self.turn]) - self.tolerance else self.idle + 1
        self.nats[self.turn] = min(float(self.nats[self.turn]), nats)
        return nats

    def _next(self) -> None:
        """The next size, or the end where this one was no better than the one before it."""
        worse = self.turn > 0 and bool(self.nats[self.turn] >= self.nats[self.turn - 1])
        self.turn = len(self.nats) if worse else self.turn + 1
        self.idle, self.fresh = 0, True

    def findings(self) -> list[str]:
        """Which size was chosen, and by what."""
        tried = [(k, n) for k, n in zip(self.mixture.sizes, self.nats.tolist(), strict=True) if n < float("inf")]
        if len(self.nats) == 1 or not tried:
            return []
        scores = ", ".join(f"{k}: {n:.3f}" for k, n in tried)
        return [f"{self.kept.used} components were chosen by the nats of validation rows ({scores})."]

    def state(self) -> Mapping[str, Tensor]:
        """As of EM, and how far the choice is."""
        place = torch.tensor([self.turn, self.idle, self.fresh])
        return {**super().state(), "choice/place": place, "choice/nats": self.nats}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
        super().restore(state)
        self.turn, self.idle, fresh = state["choice/place"].tolist()
        self.fresh = bool(fresh)
        self.nats.copy_(state["choice/nats"])
