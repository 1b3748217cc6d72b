"""Looks at the records of a training and says, once each, what goes wrong."""

from collections import deque

from priorcraft.core import Generative
from priorcraft.train.loop import Record

WINDOW = 200  # step records that a judgement rests on
DEAD_KL = 0.1  # nats


class Watch:
    """Sentences about a training that goes wrong; silent while it goes well.

    Args:
        model: the model that is trained.
    """

    def __init__(self, model: Generative) -> None:
        self.model = model
        self.recent: deque[dict[str, float | str]] = deque(maxlen=WINDOW)
        self.said: set[str] = set()

    def __call__(self, record: Record) -> list[str]:
        """The sentences that are new with this record."""
        if record.kind == "step":
            self.recent.append(record.values)
            return []
        messages = {name: text for name, text in self._judge(record.progress).items() if name not in self.said}
        self.said |= set(messages)
        return list(messages.values())

    def _judge(self, progress: float) -> dict[str, str]:
        kl = self._mean("kl")
        if kl is not None and kl < DEAD_KL and progress > 0.3:
            return {
                "posterior collapse": f"posterior collapse: KL(q(z|x) || p(z)) is {kl:.3f} nats, below {DEAD_KL}; the "
                "latent variable is ignored. Try --set free_bits=0.5, a smaller decoder, or a longer warm_up."
            }
        return {}

    def _mean(self, name: str) -> float | None:
        values = [v for record in self.recent if isinstance(v := record.get(name), float)]
        return sum(values) / len(values) if values else None
