"""Named tensors as safetensors bytes and back, believing nothing that the bytes say of themselves.

The format (https://github.com/huggingface/safetensors: a header in JSON, then the entries) is written and read here:
its library ends the process where memory does not suffice, and holds everything twice.
"""

import json
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from priorcraft.errors import CheckpointError

_TYPES = {  # in the order of the reference implementation
    "I64": torch.int64, "F64": torch.float64, "F32": torch.float32, "I32": torch.int32, "BF16": torch.bfloat16,
    "F16": torch.float16, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_ORDER = list(_NAMES)
_HEADER_LIMIT = 100_000_000  # bytes, as in the reference implementation
_DIMS_LIMIT = 32
_EMPTY_LIMIT = 2**31  # product of the other sizes of a tensor that has a size 0
_SHOWN = 5  # names in one sentence

Entry = tuple[int, int]


def encode(tensors: dict[str, Tensor]) -> bytes:
    """The safetensors file of `tensors`: any device, stride or sharing; the same tensors give the same bytes."""
    header, parts, end = dict[str, dict[str, Any]](), list[memoryview](), 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (_ORDER.index(item[1].dtype), item[0])):
        parts.append(_bytes(tensor.detach().cpu().contiguous().reshape(-1)).data)
        begin, end = end, end + parts[-1].nbytes
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    told = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    return b"".join([len(told).to_bytes(8, "little"), told, *parts])


def _bytes(flat: Tensor) -> np.ndarray:
    """The memory of a tensor of one axis."""
    return flat.view(torch.uint8).numpy()


def decode(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU; memory is taken only once the whole header adds up.

    Raises:
        CheckpointError: not safetensors, or sizes that contradict each other or the file.
    """
    check_header(data, name)
    header, size = _header(data, name)
    header.pop("__metadata__", None)
    found, start = dict[str, Tensor](), len(data) - size
    for key, entry in header.items():
        flat = torch.empty(math.prod(entry["shape"]), dtype=_TYPES[entry["dtype"]])
        begin, end = entry["data_offsets"]
        _bytes(flat)[:] = np.frombuffer(data, np.uint8, end - begin, start + begin)
        found[key] = flat.reshape(entry["shape"])
    return found


def check_header(data: bytes, name: str) -> None:
    """Compares dtype, shape and offsets of every tensor with each other and with the size of the file.

    Raises:
        CheckpointError: any of them disagree.
    """
    header, size = _header(data, name)
    header.pop("__metadata__", None)
    end = 0
    for begin, stop in sorted(_extent(entry, f"{name}: tensor '{key}'") for key, entry in header.items()):
        if begin != end:
            raise CheckpointError(
                f"{name}: a tensor begins at byte {begin}, not {end}: tensors overlap or leave a gap."
            )
        end = stop
    if end != size:
        raise CheckpointError(f"{name}: its header promises {end:,} bytes of tensors, the file has {size:,}.")


def _header(data: bytes, name: str) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _HEADER_LIMIT) or data[8:9] != b"{":
        kind = " (it looks like a pickle, which is never opened)" if data[:1] == b"\x80" or data[:2] == b"PK" else ""
        raise CheckpointError(f"{name} is not a safetensors file{kind}.")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} is not a safetensors file: its header is not JSON ({error}).") from error
    return header, len(data) - 8 - length


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _extent(entry: Any, what: str) -> Entry:
    """First and last byte of one tensor, once its three descriptions agree."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{what} must have dtype, shape and data_offsets.")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not (isinstance(entry["dtype"], str) and entry["dtype"] in _TYPES):
        raise CheckpointError(f"{what} has dtype {entry['dtype']!r:.40}; known: {', '.join(_TYPES)}.")
    if not (_are_sizes(shape, _DIMS_LIMIT) and _are_sizes(offsets, 2) and len(offsets) == 2):
        raise CheckpointError(f"{what} has a shape or offsets that are not sizes.")
    needed = math.prod(shape) * _TYPES[entry["dtype"]].itemsize
    if needed != offsets[1] - offsets[0] or math.prod(d or 1 for d in shape) >= max(_EMPTY_LIMIT, needed + 1):
        raise CheckpointError(f"{what} of shape {shape} needs {needed:,} bytes, its offsets are {offsets}.")
    return offsets[0], offsets[1]


def _are_sizes(values: Any, most: int) -> bool:
    return isinstance(values, list) and len(values) <= most and all(type(v) is int and v >= 0 for v in values)


def check_finite(tensors: dict[str, Tensor], name: str) -> None:
    """Refuses weights that no prediction can be made with.

    Raises:
        CheckpointError: nan or infinity in a floating-point tensor.
    """
    for key, tensor in tensors.items():
        bad = int((~torch.isfinite(tensor)).sum()) if tensor.is_floating_point() else 0
        if bad:
            raise CheckpointError(f"{name}: '{key}' holds nan or infinity in {bad} of {tensor.numel()} entries.")


def load_into(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copies `tensors` into the parameters and buffers of `module`: all of them, or none.

    Raises:
        CheckpointError: names, shapes or dtypes differ; the sentence lists the first of them.
    """
    own = module.state_dict()
    if faults := _differences(own, tensors):
        raise CheckpointError(f"These weights belong to another model than this {type(module).__name__}: {faults}.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def _differences(own: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    both = [name for name in own if name in found]
    differing = [
        f"'{name}' is {_describe(own[name])} in the model and {_describe(found[name])} in the file"
        for name in both
        if _describe(own[name]) != _describe(found[name])
    ]
    lists = {
        "": differing,
        "missing ": [f"'{name}'" for name in own if name not in found],
        "unexpected ": [f"'{name}'" for name in found if name not in own],
    }
    return "; ".join(word + _first(names) for word, names in lists.items() if names)


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
