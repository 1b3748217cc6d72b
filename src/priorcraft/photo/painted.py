"""Masks as people paint them: white on black, any colour on transparent, on a copy of the photograph, or erased."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageColor, ImageOps
from scipy import ndimage
from torch import Tensor

from priorcraft.contents import printable
from priorcraft.datasets.image import image_file
from priorcraft.errors import DataError, UsageError
from priorcraft.photo.picture import Picture

HALF, NEAR, COLOURED = 128, 48, 64  # of 255: opaque or white from here on; the same colour; no grey any more
PAPER = 0.75  # of a file that is white: more is the paper on which black was drawn
COMPRESSED = 40  # by how much a colour differs at most when JPEG has been there


@dataclass(frozen=True)
class Painted:
    """Which pixels a mask file hides, (H, W), and by which rule it was read."""

    hidden: Tensor
    rule: str


def read_mask(path: str | Path, photo: Picture, colour: str | None = None) -> Painted:
    """What a mask file hides of a photograph.

    In this order: pixels near `colour`, if it is given; what is erased, if the rest is the photograph itself; what is
    painted on transparent; what differs, if most of the file is the photograph; what is coloured, on a grey ground;
    what is white, or black on a file that is white for the most part. Soft edges are cut in the middle, and the rule
    says so.

    Args:
        path: the file, of the photograph's size.
        photo: the photograph.
        colour: a name or #rrggbb.

    Raises:
        DataError: another size, or the photograph without a change.
        UsageError: a colour that is none.
    """
    with image_file(path) as image:
        compressed = image.format == "JPEG"
        rgba = np.asarray(ImageOps.exif_transpose(_eight(image)).convert("RGBA")).astype(np.int16)
    height, width = photo.pixels.shape[:2]
    if rgba.shape[:2] != (height, width):
        raise DataError(
            f"the mask {printable(path)} is {rgba.shape[1]} x {rgba.shape[0]}, the image {width} x {height}; "
            "they must be of one size."
        )
    hidden, rule = _hidden(rgba, _rgb(photo), colour, compressed)
    share = hidden.mean()
    if not share:
        rule += "; it hides nothing"
    if share > 0.5:
        rule += f"; that is {share:.0%} of the picture: if the other part was meant, name its colour (--mask-colour)"
    return Painted(torch.from_numpy(hidden), f"mask: {rule}.")


def erased(photo: Picture) -> Painted:
    """What is wholly transparent in the photograph itself.

    Raises:
        DataError: nothing is.
    """
    alpha = photo.pixels[..., -1]
    if photo.pixels.shape[2] not in (2, 4) or bool((alpha > 0).all()):
        raise DataError("no pixel of the image is transparent; give a mask.")
    return Painted(torch.from_numpy(alpha == 0), "mask: transparent pixels of the image itself are hidden.")


def _hidden(rgba: np.ndarray, photo: np.ndarray, colour: str | None, compressed: bool) -> tuple[np.ndarray, str]:
    rgb, opaque = rgba[..., :3], rgba[..., 3] >= HALF
    if colour is not None:
        return opaque & (np.abs(rgb - _colour(colour)).max(-1) <= NEAR), f"pixels near {colour} are hidden"
    off = np.abs(rgb - photo).max(-1)
    if not opaque.all() and opaque.any():
        if (off[opaque] <= 2).mean() > 0.9:
            return ~opaque, "what is erased from the photograph is hidden"
        return opaque, "what is painted on transparent is hidden"
    if not off.any() and not _flat(rgb):
        raise DataError("the mask is the photograph itself: nothing is painted on it.")
    differs = off > (COMPRESSED if compressed else 2)
    if differs.any() and differs.mean() < 0.5 and not _flat(rgb):
        edges = ndimage.binary_dilation(differs, iterations=2) if compressed else differs
        return np.asarray(edges, bool), "where it differs from the photograph, the photograph is hidden"
    coloured = rgb.max(-1) - rgb.min(-1) > COLOURED
    if coloured.any() and not coloured.all():
        return coloured, "what is painted in colour on grey is hidden"
    return _white(np.asarray(rgb.mean(-1)))


def _flat(rgb: np.ndarray) -> bool:
    """Whether almost all of a picture is black, or white, as of a mask and not of a photograph."""
    return bool(((rgb.max(-1) <= 8) | (rgb.min(-1) >= 247)).mean() > 0.8)


def _white(grey: np.ndarray) -> tuple[np.ndarray, str]:
    values = np.unique(grey)
    if len(values) == 1:
        return np.full(grey.shape, values[0] >= HALF), "it has one colour; white hides"
    middle = (values[0] + values[-1]) / 2
    light = grey > middle
    shades = f"it has {len(values)} shades, cut at {middle:.0f} of 255; " if len(values) > 2 else ""
    if light.mean() > PAPER:
        return ~light, f"{shades}black on white hides (if the white was meant: --mask-colour white)"
    return light, shades + ("those lighter than that hide" if shades else "the lighter of two values hides")


def _rgb(photo: Picture) -> np.ndarray:
    """The photograph in 8 bits, (H, W, 3)."""
    eight = photo.pixels if photo.top == 255 else photo.pixels // 257
    colours = eight[..., :-1] if eight.shape[2] in (2, 4) else eight
    return np.broadcast_to(colours, (*colours.shape[:2], 3)).astype(np.int16)


def _eight(image: Image.Image) -> Image.Image:
    """A mask of more than 8 bits in 8: 65535 is white."""
    if not image.mode.startswith(("I", "F")):
        return image
    v = np.asarray(image, dtype=float)
    return Image.fromarray(np.rint(v / max(float(v.max()), 1e-9) * 255).clip(0, 255).astype(np.uint8))


def _colour(name: str) -> np.ndarray:
    try:
        return np.array(ImageColor.getrgb(name)[:3])
    except ValueError:
        raise UsageError(f"mask_colour must be a name or #rrggbb, as in red or #ff0000, not '{name}'.") from None
