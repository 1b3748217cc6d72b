"""Fitting an ensemble: each member by its own objective, one after another, then their weights."""

from collections.abc import Mapping

import torch
from torch import Tensor

from priorcraft.core import Approximate, ClosedForm, Exact
from priorcraft.explicit.exact.ensemble import Ensemble
from priorcraft.runtime import Key
from priorcraft.settings import BatchSize, Decay, LearningRate, WeightDecay
from priorcraft.train.likelihood import ExpectationMaximisation, MaximumLikelihood, mean_nats
from priorcraft.train.objective import Batch, Objective
from priorcraft.train.shards import Shards

PATIENCE = 5  # updates in closed form without a gain on held-out rows
GAIN = 2e-4  # of the held-out score, below which it is no gain
CLOSED_SHARE = 0.3  # of the budget that a member with closed-form updates may take at most


class Team(Objective):
    """Trains the members of an ensemble in turn; closed-form members stop when held-out rows stop gaining.

    Args:
        model: the ensemble.
        lr, weight_decay, batch_size, decay: of members that are trained by gradient, as in `MaximumLikelihood`.
    """

    def __init__(
        self,
        model: Ensemble,
        *,
        lr: LearningRate = 2e-3,
        weight_decay: WeightDecay = 1e-4,
        batch_size: BatchSize = 128,
        decay: Decay = 0.999,
    ) -> None:
        self.model = self.ensemble = model
        self.turn, self.since = 0, 0.0
        self.best, self.idle = float("inf"), 0
        self.kept: dict[str, Tensor] = {}
        gradient = {"lr": lr, "weight_decay": weight_decay, "batch_size": batch_size, "decay": decay}
        self.parts = [objective_for(member, gradient) for member in model.parts()]
        self.averaged_model = Ensemble(model.space, model.context, members=[exact(p.averaged) for p in self.parts])

    def prepare(self, held_out: Batch) -> None:
        """Keeps the rows by which members are stopped and weighed."""
        self.held_out = held_out
        self.averaged_model.log_prior.copy_(self.model.log_prior)
        for part in self.parts:
            part.prepare(held_out)

    def cut(self, shards: Shards) -> None:
        """Cuts the rows of every member's steps so."""
        super().cut(shards)
        for part in self.parts:
            part.cut(shards)

    @property
    def averaged(self) -> Ensemble:
        """The members' averages."""
        return self.averaged_model

    @property
    def finished(self) -> bool:
        """Whether every member is."""
        return self.turn == len(self.parts)

    def rows_at(self, progress: float) -> int | None:
        """What the member whose turn it is takes."""
        return self.parts[min(self.turn, len(self.parts) - 1)].rows_at(progress)

    def step(self, batch: Batch, *, progress: float, key: tuple[Key, ...]) -> dict[str, float]:
        """One step of the member whose turn it is, which sees its own share of the budget."""
        part = self.parts[self.turn]
        own = (progress - self.since) / max(1 - self.since, 1e-9)
        values = part.step(batch, progress=own, key=(*key, self.turn)) | {"member": float(self.turn)}
        if isinstance(part, ExpectationMaximisation):
            self._judge(part, own, progress)
        return values

    def _judge(self, part: ExpectationMaximisation, own: float, progress: float) -> None:
        """Keeps the best tables of a closed-form member, and ends its turn when they stop getting better."""
        member = exact(part.model)
        nats = mean_nats(member, self.held_out)
        self.idle = 0 if nats < self.best - GAIN * abs(nats) else self.idle + 1
        if nats < self.best:
            self.best, self.kept = nats, {k: v.clone() for k, v in member.state_dict().items()}
        if self.idle >= PATIENCE or part.finished or own > CLOSED_SHARE:
            member.load_state_dict(self.kept)
            self.turn, self.since, self.best, self.idle, self.kept = self.turn + 1, progress, float("inf"), 0, {}

    def settle(self) -> None:
        """Weighs the members by the held-out rows."""
        self.averaged_model.eval().weigh(self.held_out.x, self.held_out.given)

    def findings(self) -> list[str]:
        """What the members have to tell."""
        return [sentence for part in self.parts for sentence in part.findings()]

    def state(self) -> Mapping[str, Tensor]:
        """Every member's state, whose turn it is, and since when."""
        states = {f"{i}/{k}": v for i, part in enumerate(self.parts) for k, v in part.state().items()}
        kept = {f"kept/{k}": v for k, v in self.kept.items()}
        place = torch.tensor([self.turn, self.since, self.best, self.idle], dtype=torch.float64)
        return states | kept | {"place": place}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `state` gave."""
        for i, part in enumerate(self.parts):
            part.restore({k.removeprefix(f"{i}/"): v for k, v in state.items() if k.startswith(f"{i}/")})
        self.kept = {k.removeprefix("kept/"): v for k, v in state.items() if k.startswith("kept/")}
        turn, self.since, self.best, idle = state["place"].tolist()
        self.turn, self.idle = int(turn), int(idle)


def objective_for(member: Exact, gradient: Mapping[str, float]) -> Objective:
    """Closed-form updates where there are any, gradient steps where not."""
    if isinstance(member, ClosedForm):
        return ExpectationMaximisation(member)
    return MaximumLikelihood(member, **gradient)  # pyright: ignore[reportArgumentType]


def exact(model: object) -> Exact:
    """`model`, which is exact."""
    assert isinstance(model, Exact)
    assert not isinstance(model, Approximate)
    return model
