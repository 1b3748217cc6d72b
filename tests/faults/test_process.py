"""A Python user's process is as it was after any call, and the same numbers give the same draws whatever their type."""

import os
import random

import numpy as np
import pytest
import torch

from priorcraft import runtime
from priorcraft.errors import UsageError
from priorcraft.runtime import keyed, mix


def state():
    """What a process has set."""
    return (
        torch.get_float32_matmul_precision(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        random.getstate(),
        str(np.random.get_state()),
        torch.get_rng_state().tolist(),
        dict(os.environ),
    )


def test_whatever_is_set_within_is_as_before():
    before = state()

    @runtime.undisturbed
    def disturbing():
        runtime.tune()
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(torch.get_num_threads() + 1)
        assert random.random() < 1
        assert np.random.rand() + float(torch.rand(1)) < 2
        os.environ["OMP_WAIT_POLICY"] = "active"
        raise KeyError

    with pytest.raises(KeyError):
        disturbing()
    assert state() == before


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, int])
def test_a_seed_of_any_whole_type_is_that_number(kind):
    assert mix(kind(7), "noise") == mix(7, "noise")
    assert torch.equal(torch.rand(2, generator=keyed(kind(7))), torch.rand(2, generator=keyed(7)))


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70, 1.5, None, float("nan"), True])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(UsageError, match="seed must be a whole number in 0"):
        mix(seed)
    assert mix(2**63 - 1) >= 0
