"""What goes wrong in a game, read off its record: each detector names the number, the threshold, and what to turn.

Each takes the records of successive steps, oldest first, and returns a sentence or None. They are rules with
thresholds found on games that were sabotaged, not tests with an error rate.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean

import torch
from torch import Tensor

Records = Sequence[Mapping[str, float]]

WINDOW = 200  # records that are looked at; with fewer nothing is said
DIVERSITY = 0.5
OVERFITTING = 0.6
SURE, DEAF = 0.02, 0.01
FOOLED = -0.5
SWING, CHANGES = 0.5, 3


def judge(records: Records) -> dict[str, str]:
    """What the last `WINDOW` records show, by name: the sentence of every detector that fires."""
    if len(records) < WINDOW:
        return {}
    found = {name: detector(records[-WINDOW:]) for name, detector in DETECTORS.items()}
    return {name: sentence for name, sentence in found.items() if sentence}


def mode_collapse(records: Records) -> str | None:
    """Fakes fall near too few different real rows (`diversity`).

    >>> mode_collapse([{"diversity": 0.9}, {"diversity": 0.8}, {"diversity": 0.9}])
    """
    seen = numbers(records, "diversity")
    if len(seen) < 3 or fmean(seen) >= DIVERSITY:
        return None
    return (
        f"mode collapse: the samples are {fmean(seen):.0%} as diverse as real rows (warns below {DIVERSITY:.0%}); "
        "raise gamma or batch_size, or lower lr."
    )


def critic_overfitting(records: Records) -> str | None:
    """The critic tells training rows from held-out ones nearly as well as from fakes.

    r = (E D(train) - E D(held out)) / (E D(train) - E D(fake))   (cf. Karras et al. 2020, arXiv:2006.06676)
    """
    rows = [record for record in records if "critic_valid" in record]
    if len(rows) < 3:
        return None
    train, valid, fake = (fmean(numbers(rows, f"critic_{name}")) for name in ("real", "valid", "fake"))
    if train <= fake or train - valid < 2 * SWING or train - valid < OVERFITTING * (train - fake):
        return None
    return (
        f"critic overfitting: it puts training rows {train - valid:.2f} nats above held-out ones and "
        f"{train - fake:.2f} above fakes (warns when the first is over {OVERFITTING:.0%} of the second); "
        "add rows, raise gamma, or train for fewer steps."
    )


def vanishing_signal(records: Records) -> str | None:
    """The critic is sure of itself, or deaf: its gradient no longer teaches."""
    loss, slope = fmean(numbers(records, "critic_loss")), fmean(numbers(records, "r2")) ** 0.5
    if 0 <= loss < SURE:
        return (
            f"vanishing critic signal: its loss is {loss:.2g} nats (warns below {SURE}), so it always wins; "
            "raise gamma, or lower lr."
        )
    if slope < DEAF:
        return (
            f"vanishing critic signal: its slope at the samples is {slope:.2g} (warns below {DEAF}), so it teaches "
            "nothing; lower gamma, or start again with a lower lr."
        )
    return None


def fooled_critic(records: Records) -> str | None:
    """The critic takes fakes for more real than real rows, all the time: it does not learn."""
    ahead = fmean(lead(records))
    if ahead >= FOOLED:
        return None
    return (
        f"the critic does not learn: it puts fakes {-ahead:.2f} nats above real rows (warns above {-FOOLED}); "
        "lower gamma, or start again with a lower lr."
    )


def oscillation(records: Records) -> str | None:
    """The lead over the other player changes hands in wide swings."""
    smooth = lead(records)
    sides = [value > 0 for value in smooth if abs(value) > SWING]
    changes = sum(a != b for a, b in pairwise(sides))
    if changes < CHANGES:
        return None
    return (
        f"oscillation: the lead of the critic changed hands {changes} times in {len(records)} steps, by more than "
        f"{SWING} nats each way (warns from {CHANGES} times on); lower lr, or raise gamma."
    )


def diversity(fake: Tensor, real: Tensor) -> float:
    """How many different real rows the fakes fall near, relative to how many other real rows do: about 1 if p = q.

    exp H(n) of fakes / exp H(n) of real rows, n the shares of those nearest to each of the first half of the real rows.
    Biased for small batches; a ratio, no unit.

    Args:
        fake, real: (B, *event_shape), B at least 4.
    """
    half = len(real) // 2
    anchors = real[:half].flatten(1).double()
    nearest = (torch.cdist(rows[-half:].flatten(1).double(), anchors).argmin(1) for rows in (fake, real))
    of_fake, of_real = (torch.special.entr(rows.bincount() / half).sum().exp() for rows in nearest)
    return float(of_fake / of_real)


def lead(records: Records, width: int = 10) -> list[float]:
    """E D(x) - E D(G(z)) in nats, each the mean of `width` successive records."""
    gaps = [record["critic_real"] - record["critic_fake"] for record in records]
    return [fmean(gaps[i : i + width]) for i in range(0, len(gaps), width)]


def numbers(records: Records, name: str) -> list[float]:
    """The values under a name, from the records that have it."""
    return [record[name] for record in records if name in record]


DETECTORS: dict[str, Callable[[Records], str | None]] = {
    "mode collapse": mode_collapse,
    "critic overfitting": critic_overfitting,
    "vanishing signal": vanishing_signal,
    "fooled critic": fooled_critic,
    "oscillation": oscillation,
}
