"""Arrays that are mapped from files: pages are read when they are touched, and let go when they were worked on."""

import mmap
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

BLOCK_BYTES = 2**24  # of an array that are worked on at once
GATHERED = 1024  # rows, each of which may touch 64 KB
MAP = "_priorcraft_map"  # the attribute of a tensor that names the array that it is


def blocks(array: np.ndarray) -> Iterator[slice]:
    """Stretches of rows of at most 16 MB, in order; pages of a mapped array are let go after each."""
    each = max(1, BLOCK_BYTES // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), each):
        yield slice(start, min(start + each, len(array)))
        let_go(array)


def let_go(array: np.ndarray | Tensor | None) -> None:
    """Gives pages of a mapped array back; what was written stays in the file. Other arrays are as they were."""
    own = getattr(array, MAP, array)
    pages = own._mmap if isinstance(own, np.memmap) else None  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def gathered(source: Tensor, which: Tensor) -> Tensor:
    """source[which], by mask or by number; of a mapped array a few rows at a time, whose pages are then let go."""
    if getattr(source, MAP, None) is None:
        by_mask = which.dtype == torch.bool  # NumPy needs no number of 8 bytes for each row
        return torch.from_numpy(source.numpy()[which.numpy()]) if by_mask else source[which]
    number = which.nonzero().squeeze(1) if which.dtype == torch.bool else which
    found = torch.empty((len(number), *source.shape[1:]), dtype=source.dtype)
    for start in range(0, len(number), GATHERED):
        found[start : start + GATHERED] = source[number[start : start + GATHERED]]
        let_go(source)
    return found


def everywhere(array: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether a test holds for all entries, looked at block by block until one fails."""
    return all(bool(test(array[rows]).all()) for rows in blocks(array))


def ends(array: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest entry, looked for block by block."""
    found = [(array[rows].min(), array[rows].max()) for rows in blocks(array)]
    return min(low for low, _ in found), max(high for _, high in found)


def array_of(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers, where they lie."""
    own = getattr(tensor, MAP, None)
    return tensor.numpy() if own is None else own


def tensor_of(array: np.ndarray) -> Tensor:
    """An array as a tensor of the same memory; one that is mapped to be read must not be written to."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that it cannot be written to
        found = torch.from_numpy(array)
    if isinstance(array, np.memmap):
        setattr(found, MAP, array)
    return found
