"""One image file, read by stated rules: grey or RGB, 8 bits, upright, on white."""

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from torch import Tensor

from priorcraft.contents import printable
from priorcraft.core import Space
from priorcraft.datasets.points import over_white, rescale
from priorcraft.errors import DataError, UsageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
OTHER_ORDER = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "RGB;16L": "RGB;16B", "RGBA;16L": "RGBA;16B"} | {
    "RGB;16N": "RGB;16B",
    "RGBA;16N": "RGBA;16B",
}  # Pillow keeps the first byte of a colour of 16 bits; read in the other order, it keeps the second
PIXEL_CAP = 50_000_000
ORIENTATION = 0x0112  # EXIF's tag; from 5 on the image lies on its side
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "F")


class BadImage(DataError):
    """A file that cannot be read as an image, and the reason."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{printable(path)} cannot be read as an image: {reason}.")
        self.reason = reason


def read_image(path: str | Path, space: Space, *, resize: bool = False, top: int | None = None) -> Tensor:
    """One image file as a point of an image space, (C, H, W), int64 in 0 ... levels-1.

    An 8-bit value v becomes round(v (levels - 1) / 255).

    Args:
        path: the file.
        space: the image space that it must fit: one channel reads grey, three read RGB.
        resize: whether an image of another size is cropped to the shape and resized, or refused.
        top: the value of 16 bits that is white, as in `decode`.

    Raises:
        DataError: not an image, damaged, too large, or of another size than the space.
        UsageError: `space` is not a space of integer images.
    """
    if not space.is_image or space.levels is None or space.event_shape[0] not in (1, 3):
        raise UsageError(f"space must be grey or RGB images of integers, not {space}.")
    channels, height, width = space.event_shape
    image = decode(path, top)
    if not resize and image.size != (width, height):
        raise DataError(
            f"{printable(path)} is {image.width} x {image.height} (width x height), but {width} x {height} is needed; "
            "resize it first."
        )
    pixels = to_pixels(image, channels, (height, width))
    return torch.from_numpy(rescale(pixels, 255, space.levels - 1))


def decode(path: str | Path, top: int | None = None) -> Image.Image:
    """The image in a file in mode "L" or "RGB": its first frame, turned upright, laid on white.

    Args:
        path: the file.
        top: the value of 16 bits that is white, 4095 of a camera with 12 bits; 65535 without it.

    Raises:
        BadImage: the file and the reason why it cannot be read, or a value above `top`.
    """
    return decoded(path, top)[0]


def decoded(path: str | Path, top: int | None = None) -> tuple[Image.Image, int | None]:
    """The same, and the largest value of a file of 16 bits that was read without `top`; None for others."""
    deep = None if top is None else sixteen_bits(path)
    if deep is not None and top is not None:
        if deep.max() > top:
            raise BadImage(path, f"it holds the value {deep.max()}, more than top = {top}")
        return _eight_bits(Image.fromarray(rescale(deep, top, 255).astype(np.uint8))), None
    with image_file(path, load=False) as image:
        wide = top is None and (image.mode.startswith("I") or _byte_order(image) in OTHER_ORDER)
        image.load()
        found = _eight_bits(ImageOps.exif_transpose(image))
    deep = sixteen_bits(path) if wide else None
    return found, None if deep is None else int(deep.max())


def head(path: str | Path) -> tuple[tuple[int, int], bool]:
    """Height and width of an image when it is upright, and whether its mode has no colours; no pixel is decoded.

    Raises:
        BadImage: it cannot be read.
    """
    with image_file(path, load=False) as image:
        turned = image.getexif().get(ORIENTATION, 1) >= 5
        shape = (image.width, image.height) if turned else (image.height, image.width)
        return shape, image.mode in GREY_MODES


@contextmanager
def image_file(path: str | Path, *, load: bool = True) -> Iterator[ImageFile.ImageFile]:
    """An open image file, its pixels loaded; what goes wrong with it, there and within, is a BadImage.

    The formats are PNG, JPEG, WebP, BMP, GIF, TIFF and PPM, told by content; the pixels are counted in the header,
    before any is decoded.

    Raises:
        BadImage: the file and the reason why it cannot be read.
    """
    try:
        _check_file(path)
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:
            _check_size(image)
            if load:
                image.load()
            yield image
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(path, f"not {', '.join(FORMATS[:-1])} or {FORMATS[-1]} by its content") from None
    except DataError as reason:
        raise BadImage(path, str(reason)) from None
    except FileNotFoundError:
        raise BadImage(path, "no such file") from None
    except Exception as error:  # a decoder that is fed garbage raises whatever it stumbles upon
        raise BadImage(path, f"cannot be decoded: {error}") from error


def sixteen_bits(path: str | Path) -> np.ndarray | None:
    """The pixels of a file of 16 bits a channel, (H, W) or (H, W, C) uint16, upright; None if it has other bits.

    Raises:
        BadImage: it cannot be read.
    """
    with image_file(path, load=False) as image:
        order, grey = _byte_order(image), image.mode.startswith("I")
        if not grey and order not in OTHER_ORDER:
            return None
        image.load()
        first = np.asarray(ImageOps.exif_transpose(image))
    if grey:
        return first.astype(np.uint16) if 0 <= first.min() <= first.max() <= 65_535 else None
    with image_file(path, load=False) as image:
        order = OTHER_ORDER[order]
        image.tile = [
            tile._replace(args=order if isinstance(tile.args, str) else (order, *(tile.args or ())[1:]))
            for tile in image.tile
        ]
        image.load()
        second = np.asarray(ImageOps.exif_transpose(image))
    return (first.astype(np.uint16) << 8) | second


def _byte_order(image: ImageFile.ImageFile) -> str:
    """In which order the bytes of a colour stand in the file, as Pillow names it."""
    arguments = image.tile[0].args if image.tile else None
    return arguments if isinstance(arguments, str) else str((arguments or ("",))[0])


def to_pixels(image: Image.Image, channels: int, shape: tuple[int, int]) -> np.ndarray:
    """An image as uint8 (C, H, W): cropped about its centre to the shape's proportions, then resized.

    Shrinking averages over boxes, enlarging is Lanczos'. RGB to grey is ITU-R 601's luma.
    """
    height, width = shape
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        shrinks = min(image.width / width, image.height / height) >= 1
        method = Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS
        image = ImageOps.fit(image, (width, height), method)
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def _check_file(path: str | Path) -> None:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise DataError("not a file")
    if status.st_size == 0:
        raise DataError("empty file")


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > PIXEL_CAP:
        raise DataError(f"{image.width} x {image.height} pixels, more than {PIXEL_CAP // 1_000_000} million")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Mode "L" or "RGB"; an image whose three channels agree everywhere is grey."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(np.asarray(image)))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        image = Image.fromarray(over_white(rgba[..., :3], rgba[..., 3:], 255).astype(np.uint8))
    if image.mode in ("1", "L"):
        return image.convert("L")
    rgb = image.convert("RGB")
    red, green, blue = rgb.split()
    return red if red.tobytes() == green.tobytes() == blue.tobytes() else rgb


def _scaled(v: np.ndarray) -> np.ndarray:
    """16 bits divided by 257; wider integers and floats from their smallest ... largest value to 0 ... 255."""
    low, high = v.min(), v.max()
    if v.dtype.kind != "f" and low >= 0 and high <= 65_535:
        return rescale(v, 65_535, 255).astype(np.uint8)
    if not np.isfinite(v).all():
        raise DataError("holds nan or infinity")
    span = max(float(high) - float(low), np.finfo(float).tiny)
    return np.rint((v.astype(float) - float(low)) / span * 255).astype(np.uint8)
