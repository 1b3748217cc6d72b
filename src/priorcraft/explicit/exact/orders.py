"""An order in words, and an autoregressive model that follows it in place of its own."""

import torch
from torch import Tensor

from priorcraft import runtime
from priorcraft.core import Exact, Generative
from priorcraft.errors import UsageError
from priorcraft.explicit.exact.chain import Autoregressive
from priorcraft.explicit.exact.ensemble import Ensemble

GRAMMAR = "raster, reverse, random, random:N, or a permutation 3,1,2,..., several of them joined by +"
MOST = 1000  # orders in one ensemble


def in_orders(model: Generative, words: str, seed: int) -> Exact:
    """The same model with other orders: exact, the log of the mean of probabilities over them.

    Args:
        model: autoregressive, or an ensemble with such a member; its other members know no order and stay.
        words: as in `GRAMMAR`.
        seed: of random orders.

    Raises:
        UsageError: words that are none, an order that is no permutation, or a model without an order.
    """
    if isinstance(model, Autoregressive):
        return model.with_orders(torch.stack(read(words, model.space.dims, seed)))
    if isinstance(model, Ensemble) and any(isinstance(m, Autoregressive) for m in model.parts()):
        return model.with_members(
            [in_orders(m, words, seed) if isinstance(m, Autoregressive) else m for m in model.parts()]
        )
    raise UsageError(
        f"order can be chosen for autoregressive models alone, and {type(model).__name__} knows no order; "
        "fit autoregressive, masked-mlp or masked-conv."
    )


def read(words: str, dims: int, seed: int) -> list[Tensor]:
    """Orders of `dims` entries from words, each int64, (D,).

    >>> [order.tolist() for order in read("raster+reverse+1,0,2", 3, 0)], len(read("random:4", 3, 0))
    ([[0, 1, 2], [2, 1, 0], [1, 0, 2]], 4)
    """
    orders = [order for word in words.split("+") for order in _read(word.strip(), dims, seed)]
    if len(orders) > MOST:
        raise UsageError(f"order names {len(orders):,} orders; {MOST:,} are the most at once.")
    return orders


def _read(word: str, dims: int, seed: int) -> list[Tensor]:
    raster, (name, colon, count) = torch.arange(dims), word.partition(":")
    if word in ("raster", "reverse"):
        return [raster if word == "raster" else raster.flip(0)]
    if name == "random" and (count.isdecimal() and len(count) < 19 if colon else not count):
        number = min(int(count or 1), MOST + 1)
        if number:
            return [torch.randperm(dims, generator=runtime.keyed(seed, "order", i)) for i in range(number)]
    numbers = [part.strip() for part in word.split(",")]
    if not all(number.isdecimal() and len(number) < 19 for number in numbers):
        raise UsageError(f"order must be ensemble, {GRAMMAR}; not '{word:.60}'.")
    return [torch.tensor([min(int(number), dims) for number in numbers])]
