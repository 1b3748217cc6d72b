"""Array files: plain arrays alone, their sizes counted before they are read, and one sentence for all that is wrong."""

import math
import os
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from torch import Tensor

from priorcraft.contents import parsing, printable
from priorcraft.errors import DataError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY")  # of .npz, of an empty one, of .npy
MOST_BYTES = 4 * 2**30  # of one file's arrays that are read and not mapped
MAPPED_BYTES = 2**26  # of an array that is mapped and not read
BOMB_BYTES, BOMB_RATIO = 2**28, 200  # a compressed array beyond this size that shrinks beyond this is no data
REMEDY = "Save plain arrays of numbers with numpy.savez or numpy.save."


def read_arrays(path: str | Path, wanted: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or the one of an .npy as "x"; nothing is ever unpickled.

    Large arrays that are not compressed are mapped: their pages are read when they are touched.

    Args:
        path: the file.
        wanted: read these alone, and give an empty array for every other name; None reads all.

    Raises:
        DataError: no such file, another kind of file, a damaged one, one that would fill the memory, or arrays of
            Python objects.
    """
    with parsing(path, "an array file", REMEDY), open(path, "rb") as file:
        if not file.read(6).startswith(MAGIC):
            raise ValueError("by its content it is neither .npz nor .npy")
        file.seek(0)
        if file.read(6) == MAGIC[2]:
            return {"x": plain(_stored(file, 0, os.fstat(file.fileno()).st_size), f"x of {printable(path)}")}
        with zipfile.ZipFile(file) as archive:
            return _members(archive, file, wanted, printable(path))


def plain(found: Any, name: str) -> np.ndarray:
    """An array as this machine computes with it: native bytes, no mask, no wider numbers than float64 and int64.

    Raises:
        DataError: masked entries, or integers beyond int64.
    """
    if isinstance(found, np.ma.MaskedArray) and np.ma.getmaskarray(found).any():
        n = int(np.ma.getmaskarray(found).sum())
        raise DataError(f"{name} holds {n} masked entries; take these rows out, or fill them (array.filled).")
    if isinstance(found, Tensor):
        found = found.detach().cpu()
        found = (found.float() if found.is_floating_point() and found.element_size() < 4 else found).numpy()
    array = np.asanyarray(found) if isinstance(found, np.memmap) else np.asarray(found)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    if array.dtype == np.uint64:
        if array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise DataError(f"{name} holds {int(array.max())}, beyond 64-bit integers; rescale it, or save it as text.")
        return array.astype(np.int64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _members(
    archive: zipfile.ZipFile, file: IO[bytes], wanted: tuple[str, ...] | None, name: str
) -> dict[str, np.ndarray]:
    arrays = dict[str, np.ndarray]()
    left = MOST_BYTES
    for member in archive.infolist():
        key = member.filename.removesuffix(".npy")
        if wanted is not None and key not in wanted:
            arrays[key] = np.empty(0)
            continue
        if member.compress_type == zipfile.ZIP_STORED and member.file_size > MAPPED_BYTES:
            arrays[key] = plain(_stored(file, _begin(file, member), member.file_size), f"{key} of {name}")
            continue
        left -= member.file_size
        if left < 0 or (member.file_size > BOMB_BYTES and member.file_size > BOMB_RATIO * member.compress_size):
            raise ValueError(
                f"'{key}' unpacks to {member.file_size:,} bytes, more than is read; save it by numpy.savez"
            )
        with archive.open(member) as stream:
            arrays[key] = plain(_array(stream, member.file_size), f"{key} of {name}")
    return arrays


def _begin(file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where the content of a member stands in the file, behind its own head of 30 bytes, name and extra field."""
    file.seek(member.header_offset + 26)
    return member.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))


def _stored(file: IO[bytes], begin: int, size: int) -> np.ndarray:
    """An array that stands in a file as it is: mapped if it is large."""
    file.seek(begin)
    if size <= MAPPED_BYTES:
        return _array(file, size, begin)
    shape, fortran, dtype = _header(file, size, begin)
    order = "F" if fortran else "C"
    return np.memmap(file.name, dtype, "r", file.tell(), shape, order)


def _array(stream: IO[bytes], size: int, begin: int = 0) -> np.ndarray:
    """One array in NumPy's format, once its header agrees with the bytes that follow."""
    _header(stream, size, begin)
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes are more than is read at once")
    stream.seek(begin)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _header(stream: IO[bytes], size: int, begin: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if header is None:
        raise ValueError(f"NumPy's format {version[0]}.{version[1]} is not one of plain arrays")
    shape, fortran, dtype = header(stream)
    if dtype.hasobject:
        raise ValueError("arrays of Python objects are never loaded")
    if min(shape, default=0) < 0 or math.prod(shape) * max(dtype.itemsize, 1) > size - (stream.tell() - begin):
        raise ValueError(f"its header promises {dtype} of shape {shape}, more than its {size:,} bytes")
    return shape, fortran, dtype
