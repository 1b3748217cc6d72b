"""How much of the machine a training uses."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from priorcraft import runtime

ENOUGH = 0.5  # seconds of steps, below which a rate would be noise


class Counted(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions; a multiply-add is two of them.

    >>> with Counted() as counted:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 5)
    >>> counted.flops
    60
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # true would import torch's compiler, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        out = func(*args, **kwargs or {})
        formula = flop_registry.get(func._overloadpacket)
        self.flops += formula(*args, **kwargs or {}, out_val=out) if formula else 0
        return out


class Speed:
    """Arithmetic of matrix products and convolutions in the steps of a training, over the time that they took.

    The arithmetic is counted in the first step after each look at the validation rows, and taken for that of the steps
    that follow; the counted steps, which are slower, are left out of the time.
    """

    def __init__(self) -> None:
        self.per_step: int | None = None
        self.flops, self.seconds = 0.0, 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around one step."""
        if self.per_step is None:
            with Counted() as counted:
                yield
            self.per_step = counted.flops
            return
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began
        self.flops += self.per_step

    def recount(self) -> None:
        """The next step may do another arithmetic."""
        self.per_step = None

    def findings(self, device: torch.device) -> list[str]:
        """The rate, beside what the machine reaches in one large product; nothing after a very short training."""
        if self.seconds < ENOUGH or not self.flops:
            return []
        rate, reached = runtime.product_rate(device), self.flops / self.seconds
        return [
            f"the steps ran at {reached / rate:.0%} of this machine's measured matrix-multiply rate "
            f"({reached / 1e9:.1f} of {rate / 1e9:.0f} GFLOP/s)."
        ]
