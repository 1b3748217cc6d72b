"""The only place that asks for hardware, and the only source of randomness."""

import ctypes
import hashlib
import os
import platform
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from priorcraft.errors import UsageError, within_memory
from priorcraft.settings import Range, whole

P = ParamSpec("P")
T = TypeVar("T")
Key = int | str
SEEDS = Range(0, 2**63, below=True)
SMALLER = "this; try a smaller n, batch_size or model"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def pick_device(name: str = "auto") -> torch.device:
    """The device that `name` stands for; "auto" takes a GPU where there is one.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise UsageError(f"device must be auto, cpu, cuda or mps, not '{name}'.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' was asked for, but this machine has none; use --device auto.")
    return torch.device(name)


def tune() -> None:
    """Lets fp32 matrix products use the fast path, where that path still computes in fp32, and keeps freed memory.

    On x86 CPUs without AMX, 'medium' sends fp32 products to oneDNN, which stays in fp32 and is about twice as
    fast; on AMX and on GPUs the same flag lowers the precision, so it is left alone there.
    """
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    if platform.machine() in ("x86_64", "AMD64") and not amx():
        torch.set_float32_matmul_precision("medium")
    keep_memory()


def keep_memory(megabytes: int = 256) -> bool:
    """Lets the C library keep so much freed memory, where it is glibc; returns whether it does.

    Else the weights' gradients, a new tensor in every step, are given back and taken anew page by page: a thousand page
    faults in a step of a small perceptron, a sixth of its time.

    Args:
        megabytes: of free memory kept at the top of the heap; blocks of 32 MB and more are given back all the same.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if platform.system() == "Linux" else None
    largest, top = 32 * 2**20, megabytes * 2**20
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, largest)) and bool(mallopt(M_TRIM_THRESHOLD, top))


@contextmanager
def plain_products() -> Iterator[None]:
    """Matrix products without the fast path of `tune`, which compiles anew for every shape.

    For many small products of many shapes: a product that takes 10 microseconds took 700 to compile.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def bfloat16_products(like: Tensor, *, wanted: bool = True) -> torch.autocast:
    """Products and convolutions in bfloat16 where the device multiplies so; everything else, and float64, in full.

    Args:
        like: a tensor of the device and the type that is multiplied in.
        wanted: whether to at all.
    """
    fits = wanted and like.dtype == torch.float32 and multiplies_in_bfloat16(like.device.type)
    return torch.autocast(like.device.type, torch.bfloat16, enabled=fits)


@lru_cache
def multiplies_in_bfloat16(device: str) -> bool:
    """Whether its hardware does: a CPU that does not takes up to a hundred times as long as in float32."""
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@lru_cache
def product_rate(device: torch.device) -> float:
    """Floating-point operations per second of one large matrix product, in fp32 or, where it is, bf16: the faster.

    Measured once a process, in about 0.15 seconds; a multiply-add counts as two operations.
    """
    types = (torch.float32, *[torch.bfloat16] * multiplies_in_bfloat16(device.type))
    return max(_product_rate(device, dtype) for dtype in types)


def _product_rate(device: torch.device, dtype: torch.dtype, side: int = 1024, seconds: float = 0.05) -> float:
    a = torch.randn(side, side, generator=keyed("rate")).to(device, dtype)  # of ones, it would be twice as fast
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        float((a @ a)[0, 0])  # waits for the device
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


def mix(*key: Key) -> int:
    """A 63-bit seed that is a stable function of `key`.

    Raises:
        UsageError: a number that is not whole or lies outside 0 ... 2^63 - 1.

    >>> mix(0, "noise", 3) == mix(0, "noise", 3) != mix(0, "noise", 4)
    True
    """
    plain = tuple(part if isinstance(part, str) else whole("a seed", part, SEEDS) for part in key)
    digest = hashlib.blake2b(repr(plain).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def digest(tensors: Iterable[Tensor]) -> str:
    """A number that tensors of the same values have alone, 128 bits, hexadecimal."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def keyed(*key: Key, device: torch.device | str = "cpu") -> Generator:
    """A generator whose draws are a function of `key` alone, e.g. (seed, step, purpose).

    >>> bool((torch.rand(3, generator=keyed(0, "z")) == torch.rand(3, generator=keyed(0, "z"))).all())
    True
    """
    return Generator(device=device).manual_seed(mix(*key))


def fresh(generator: Generator | None) -> Generator:
    """`generator` itself, or a new one seeded by the operating system; never the global one."""
    if generator is not None:
        return generator
    generator = Generator()
    generator.seed()
    return generator


def uniform(shape: tuple[int, ...], *, generator: Generator, like: Tensor) -> Tensor:
    """Uniform draws on [0, 1) with the type and device of `like`, made on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)


def normal(shape: tuple[int, ...], *, generator: Generator, like: Tensor) -> Tensor:
    """Standard normal draws with the type and device of `like`, made on the generator's device."""
    return torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)


def categorical(log_p: Tensor, *, generator: Generator) -> Tensor:
    """Draws indices with probabilities softmax(log_p) by inverting the distribution function.

    Args:
        log_p: unnormalised log probabilities, shape (..., K).

    Returns:
        int64 indices, shape (...). The same uniform and the same log_p always give the same index.
    """
    u = uniform((*log_p.shape[:-1], 1), generator=generator, like=log_p)
    return invert_cdf(log_p, u)


def invert_cdf(log_p: Tensor, u: Tensor) -> Tensor:
    """The smallest k with u < cumulative softmax(log_p), for uniforms u of shape (..., 1)."""
    cdf = log_p.softmax(-1).cumsum(-1)
    return (u * cdf[..., -1:] >= cdf[..., :-1]).sum(-1)


@contextmanager
def borrowed_process() -> Iterator[None]:
    """A process whose settings are the caller's again afterwards, whatever is set or drawn within.

    Precision of products, default type of numbers (float32 within), threads, the generators of Python, NumPy and torch,
    and the environment.
    """
    precision, dtype, threads = torch.get_float32_matmul_precision(), torch.get_default_dtype(), torch.get_num_threads()
    python, numbers, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    environment = {**os.environ}
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_float32_matmul_precision(precision)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numbers)
        torch.set_rng_state(tensors)
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)


def undisturbed(function: Callable[P, T]) -> Callable[P, T]:
    """The function, called within `borrowed_process`, and with a sentence where memory does not suffice."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        with borrowed_process(), within_memory(SMALLER):
            return function(*args, **kwargs)

    return called


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for arithmetic, whose sums are then made in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class OutOfTime(Exception):
    """What was begun `within_time` took longer."""


@contextmanager
def within_time(seconds: float) -> Iterator[None]:
    """Gives up work of networks that takes longer: whatever calls a module after that ends in `OutOfTime`."""
    deadline = time.monotonic() + seconds

    def look(module: torch.nn.Module, given: object) -> None:
        if time.monotonic() > deadline:
            raise OutOfTime

    hook = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def borrowed_global_generator(*key: Key) -> Iterator[None]:
    """Seeds torch's global generator by `key` (dropout reads it) and gives it back untouched."""
    with torch.random.fork_rng():
        if torch.cuda.is_initialized() or torch.backends.mps.is_available():
            torch.manual_seed(mix(*key))
        else:  # the same draws, without milliseconds spent on devices that are not in use
            torch.default_generator.manual_seed(mix(*key))
        yield
