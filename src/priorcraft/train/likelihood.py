"""Fitting densities: by gradient on the likelihood or on its bound, or by closed-form updates."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Approximate, ClosedForm, Exact, LearnsFromHoles, Summed, Trainable
from priorcraft.errors import Diverged, UsageError
from priorcraft.runtime import Key
from priorcraft.settings import BatchSize, Decay, LearningRate, Range, WeightDecay
from priorcraft.train.objective import Batch, Objective
from priorcraft.train.optimise import Average, Descent, cosine

AT_ONCE = 2**16  # rows
Tolerance = Annotated[float, Range(0, 1e6)]  # nats


class MaximumLikelihood(Objective):
    """Gradient steps on -log p(x | c), or on -elbo(x | c), with AdamW and an average of the weights.

    Args:
        model: an exact or an approximate model.
        lr, weight_decay, clip: as in `Descent`; the rate ends at zero with the budget.
        batch_size: rows a step.
        decay: of the average.
    """

    def __init__(
        self,
        model: Exact | Approximate,
        *,
        lr: LearningRate = 2e-3,
        weight_decay: WeightDecay = 1e-4,
        batch_size: BatchSize = 128,
        decay: Decay = 0.999,
        clip: Annotated[float, Range(0, 1e9, above=True)] = 10.0,
    ) -> None:
        self.model, self.batch_size = model, batch_size
        self.descent = Descent(model.named_parameters(), lr, weight_decay=weight_decay, clip=clip)
        self.average = Average(model, decay)

    def prepare(self, held_out: Batch) -> None:
        """Starts the average at the model as `initialise` has left it."""
        self.average.restart()

    @property
    def averaged(self) -> Exact | Approximate:
        """The average of the weights."""
        return self.average.module

    def step(self, batch: Batch, *, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One step of AdamW."""
        if not self.model.training:
            self.model.train()
        if isinstance(self.model, Trainable):
            noise = runtime.keyed(*key, "before", device=batch.x.device)
            self.model.before_step(batch.x, batch.given, generator=noise)
        terms = partial(self._terms, progress)
        values = self.descent.step(batch, terms, key, cosine(progress), self.shards)
        self.average.update()
        return values

    def _terms(self, progress: float, batch: Batch, key: tuple[Key, ...]) -> Mapping[str, Tensor]:
        generator = runtime.keyed(*key, "noise", device=batch.x.device)
        with runtime.borrowed_global_generator(*key, "dropout"):
            if isinstance(self.model, Trainable):
                return self.model.loss_terms(batch.x, batch.given, progress=progress, generator=generator)
            if isinstance(self.model, Exact):
                return {"loss": -self.model.log_prob(batch.x, batch.given).mean()}
            return {"loss": -self.model.elbo(batch.x, batch.given, generator=generator).mean()}

    def findings(self) -> list[str]:
        """Whether batches were cut for want of memory."""
        return self.descent.pieces.findings()

    def state(self) -> Mapping[str, Tensor]:
        """Live weights, moments and the average's count; `averaged` is kept by the checkpoint itself."""
        live = {f"live/{name}": value for name, value in self.model.state_dict().items()}
        return live | self.descent.state("adam") | {"average/count": torch.tensor(self.average.count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
        self.model.load_state_dict({k.removeprefix("live/"): v for k, v in state.items() if k.startswith("live/")})
        self.descent.restore("adam", state)
        self.average.count = int(state["average/count"])


class ExpectationMaximisation(Objective):
    """Closed-form updates from all rows at once, until they stop helping.

    Args:
        model: anything with `update`.
        tolerance: nats by which the mean log-likelihood must still rise.
    """

    def __init__(self, model: Exact, *, tolerance: Tolerance = 1e-4) -> None:
        if not isinstance(model, ClosedForm):
            raise UsageError(f"{type(model).__name__} has no closed-form update; fit it by maximum likelihood.")
        self.model, self.closed_form, self.tolerance = model, model, tolerance
        self.last, self.gain = -float("inf"), float("inf")

    def step(self, batch: Batch, *, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One update."""
        self.model.eval()
        seen = batch.seen if isinstance(self.model, LearnsFromHoles) else None
        with torch.no_grad():
            if isinstance(self.closed_form, Summed):
                before = float(self.closed_form.update(batch.x, batch.given, seen, total=self.shards.total))
            else:
                before = float(self.closed_form.update(batch.x, batch.given))
        if before != before or before == float("inf"):
            raise Diverged(f"the mean log-likelihood became {before}; look for constant or repeated columns.")
        self.gain, self.last = before - self.last, before
        return {"loss": -before}

    @property
    def finished(self) -> bool:
        """Whether the last update gained less than the tolerance."""
        return self.gain < self.tolerance

    def state(self) -> Mapping[str, Tensor]:
        """What `finished` depends on, and the live tables."""
        live = {f"live/{name}": value for name, value in self.model.state_dict().items()}
        return live | {"em/last": torch.tensor(self.last, dtype=torch.float64), "em/gain": torch.tensor(self.gain)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
        self.model.load_state_dict({k.removeprefix("live/"): v for k, v in state.items() if k.startswith("live/")})
        self.last, self.gain = float(state["em/last"]), float(state["em/gain"])


@torch.no_grad()
def mean_nats(model: Exact, rows: Batch) -> float:
    """Mean of -log p(x | c) of some rows, worked out a stretch at a time."""
    stretches = [slice(start, start + AT_ONCE) for start in range(0, len(rows.x), AT_ONCE)]
    each = [model.log_prob(part.x, part.given) for part in map(rows.part, stretches)]
    return -float(torch.cat(each).mean())
