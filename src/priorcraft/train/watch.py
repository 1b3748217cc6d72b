"""Looks at the records of a training and says, once each, what goes wrong."""

from collections import deque

from priorcraft.implicit.detectors import WINDOW, judge
from priorcraft.train.loop import Record

DEAD_KL = 0.1  # nats
EARLY = 0.3  # share of the budget in which nothing is judged: every training begins badly


class Watch:
    """Sentences about a training that goes wrong; silent while it goes well."""

    def __init__(self) -> None:
        self.recent: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self.said: set[str] = set()

    def __call__(self, record: Record) -> list[str]:
        """The sentences that are new with this record."""
        if record.kind == "step":
            self.recent.append({k: v for k, v in record.values.items() if isinstance(v, float)})
        if record.kind != "validation" or record.progress < EARLY:
            return []
        found = {k: v for k, v in self._judge().items() if k not in self.said}
        self.said |= set(found)
        return list(found.values())

    def _judge(self) -> dict[str, str]:
        last = self.recent[-1] if self.recent else {}
        game = judge(list(self.recent)) if "critic_real" in last else {}
        return game | {name: dead_layer(name, kl) for name in last if (kl := self._dead(name)) is not None}

    def _dead(self, name: str) -> float | None:
        """The mean of a KL divergence that stays below `DEAD_KL`; None for anything else."""
        if not name.startswith("kl"):
            return None
        mean = sum(record.get(name, 0.0) for record in self.recent) / len(self.recent)
        return mean if mean < DEAD_KL else None


def dead_layer(name: str, kl: float) -> str:
    """The sentence about a latent layer that carries nothing."""
    return (
        f"posterior collapse: {name} is {kl:.3f} nats (warns below {DEAD_KL}), so these latents are ignored; "
        "try --set free_bits=0.5, a smaller decoder, or a longer warm_up."
    )
