"""A Python user's process is as it was after any call, and the same numbers give the same draws whatever their type."""

import inspect
import os
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import priorcraft as pc
from priorcraft import declared, runtime, sklearn
from priorcraft.errors import OutOfMemory, UsageError
from priorcraft.runtime import keyed, mix
from priorcraft.settings import as_declared


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


GOLDEN = Path(__file__).parent / "golden"
ASKED = ("fit", "predict", "predict_proba", "predict_log_proba", "score", "score_samples", "transform", "sample")


def own_methods(kind: type) -> list[str]:
    """The public methods of an estimator that this project wrote."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return [name for name, f in found if f.__module__.startswith("priorcraft") and not name.startswith("_")]


def test_every_function_of_the_face_and_every_method_of_an_estimator_gives_the_process_back():
    face = {name: getattr(pc, name) for name in dir(pc) if not name.startswith("_")}
    disturbing = [n for n, f in face.items() if inspect.isfunction(f) and not hasattr(f, "__wrapped__")]
    for kind in (getattr(sklearn, name) for name in sklearn.__all__):
        assert {*own_methods(kind)} <= {*ASKED}
        disturbing += [f"{kind}.{n}" for n in own_methods(kind) if not hasattr(getattr(kind, n), "__wrapped__")]
    assert disturbing == []


def answers_of(kind: type) -> list[Any]:
    """What an estimator says after a short fit."""
    x, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    estimator: Any = kind(model="chow-liu") if kind.__name__.startswith("Prior") else kind()
    estimator.set_params(steps=2).fit(x, y)
    labelled = {"score"} if hasattr(estimator, "predict") else set()
    asked = [name for name in ASKED[1:] if hasattr(estimator, name)]
    return [
        estimator.sample(np.int64(2)) if n == "sample" else getattr(estimator, n)(x, *[y] * (n in labelled))
        for n in asked
    ]


@pytest.mark.parametrize("name", sklearn.__all__)
def test_an_estimator_leaves_the_process_alone_and_takes_no_notice_of_its_default_type(name):
    expected = answers_of(getattr(sklearn, name))
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("high")
    before = state()
    try:
        found = answers_of(getattr(sklearn, name))
        assert state() == before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_a_run_is_loaded_and_asked_whatever_the_default_type(name):
    x = pc.load(GOLDEN / name).model.sample(2, generator=keyed(0))
    torch.set_default_dtype(torch.float64)
    try:
        run = pc.load(GOLDEN / name)
        assert torch.equal(run.model.sample(2, generator=keyed(0)), x)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("n", [1.5, 0, -1, True, 10**12])
def test_an_estimator_rounds_no_number_of_draws(n):
    x = np.random.default_rng(0).normal(size=(20, 2))
    for fitted in (sklearn.Density(), sklearn.PriorSampler("chow-liu", steps=2)):
        with pytest.raises(UsageError, match="n must be a whole number"):
            fitted.fit(x).sample(n)


def test_where_memory_runs_out_a_python_user_reads_a_sentence():
    @runtime.undisturbed
    def large():
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(OutOfMemory, match="not enough memory for this; try a smaller n"):
        large()


@pytest.mark.parametrize("name", declared.names())
def test_no_number_of_a_verb_is_rounded_and_those_of_any_library_are_taken(name):
    found, function = declared.verb(name).arguments, getattr(import_module(f"priorcraft.verbs.{name}"), name)
    lacking = {each.name: 3 for each in found if each.default is declared.REQUIRED}
    for each in found:
        if each.types not in (("int",), ("float",)):
            continue
        for value in ("3", True, [1], *[1.5, float("nan"), np.float32(1.5), np.True_] * (each.types == ("int",))):
            with pytest.raises(UsageError, match=rf"^{each.name} must be a (whole )?number, not"):
                getattr(pc, name)(**lacking | {each.name: value})
        for number in (np.int64(3), np.uint8(3), 3.0, np.float32(3)):
            taken = as_declared(function, {each.name: number})[each.name]
            assert (type(taken).__name__,) == each.types
            assert taken == 3
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected"):
        getattr(pc, name)(**lacking, fancy=1)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, int])
def test_a_seed_of_any_whole_type_is_that_number(kind):
    assert mix(kind(7), "noise") == mix(7, "noise")
    assert torch.equal(torch.rand(2, generator=keyed(kind(7))), torch.rand(2, generator=keyed(7)))


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70, 1.5, None, float("nan"), True])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(UsageError, match="seed must be a whole number in 0"):
        mix(seed)
    assert mix(2**63 - 1) >= 0
