"""Arrays as raw bytes: a line of JSON that describes them, then their numbers."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.responses import Response
from torch import Tensor

from priorcraft.core import Space

KINDS = {"u1": np.uint8, "f4": np.float32, "i4": np.int32}
MEDIA = "application/octet-stream"


def packed(values: Mapping[str, Any], **arrays: Tensor | np.ndarray) -> bytes:
    """A message: its length (uint32, little endian), a header of JSON, and the arrays one after another.

    Args:
        values: what the header says beside "arrays", the name, type and shape of each array.
        arrays: bytes as uint8, other integers as int32, real numbers as float32.

    >>> message = packed({"kind": "exact"}, x=np.zeros((2, 3), np.uint8))
    >>> size, header = struct.unpack_from("<II", message)
    >>> size == len(message) - 4, message[8 : 8 + header].strip()
    (True, b'{"kind": "exact", "arrays": [["x", "u1", [2, 3]]]}')
    """
    parts = {name: _plain(array) for name, array in arrays.items()}
    said = [[name, part.dtype.str[-2:], list(part.shape)] for name, part in parts.items()]
    header = json.dumps({**values, "arrays": said}, allow_nan=False).encode()
    header += b" " * (-len(header) % 4)
    body = b"".join(part.tobytes() + b"\0" * (-part.nbytes % 4) for part in parts.values())
    return struct.pack("<II", 4 + len(header) + len(body), len(header)) + header + body


def _plain(array: Tensor | np.ndarray) -> np.ndarray:
    found = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
    kind = "f4" if found.dtype.kind == "f" else "u1" if found.dtype == np.uint8 else "i4"
    return np.ascontiguousarray(found, KINDS[kind])


def answer(values: Mapping[str, Any], **arrays: Tensor | np.ndarray) -> Response:
    """One message as a response."""
    return Response(packed(values, **arrays), media_type=MEDIA)


def pictures(x: Tensor, space: Space) -> np.ndarray:
    """Images (..., C, H, W) of a space as bytes (..., H, W, C), 0 black and 255 white."""
    top = (space.levels or 2) - 1
    return (x.double().clamp(0, top) * (255 / top)).round().byte().movedim(-3, -1).cpu().numpy()
