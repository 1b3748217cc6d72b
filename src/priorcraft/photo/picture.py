"""A picture file as it is: its pixels in their own depth, and what belongs to them."""

import io
import struct
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from priorcraft.contents import printable
from priorcraft.datasets.image import BadImage, image_file, sixteen_bits
from priorcraft.errors import UsageError

KEPT = ("1", "L", "LA", "RGB", "RGBA", "P")  # modes of Pillow that are written as they are read

HALF = 2**15  # values below which 16 bits are not all in use


@dataclass(frozen=True)
class Palette:
    """The colours (N, 3 or 4) that a picture's pixels are numbers of, and the numbers, (H, W)."""

    colours: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class Picture:
    """What stands in a picture file, upright.

    Args:
        pixels: (H, W, C), uint8 or uint16; grey, grey and alpha, RGB, or RGB and alpha.
        black_and_white: whether the file has one bit a pixel.
        palette: of a file whose pixels are numbers of colours.
        profile: ICC profile of its colours.
        notes: what of the file could not be kept, and what was taken for granted.
        limit: the value that is white, of 12 bits in a file of 16; without it, the largest.
    """

    pixels: np.ndarray
    black_and_white: bool = False
    palette: Palette | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = field(default=())
    limit: int | None = None

    @property
    def top(self) -> int:
        """The largest value of a pixel."""
        return int(np.iinfo(self.pixels.dtype).max)

    @property
    def white(self) -> int:
        """The value that is white."""
        return self.top if self.limit is None else self.limit

    @property
    def transparent(self) -> bool:
        """Whether the last channel is an alpha that is not full everywhere."""
        return self.pixels.shape[2] in (2, 4) and bool((self.pixels[..., -1] < self.top).any())

    def to_channels(self) -> Tensor:
        """Colours times alpha, and the alpha if it is not full everywhere, (C, H, W) floats."""
        x = torch.from_numpy(self.pixels.astype(np.float32)).permute(2, 0, 1)
        if self.transparent:
            return torch.cat([x[:-1] * x[-1:] / self.top, x[-1:]])
        return x[:-1] if self.pixels.shape[2] in (2, 4) else x

    def with_channels(self, channels: Tensor, where: Tensor) -> "Picture":
        """This picture with other pixels at some places, rounded; all others are as they were.

        Args:
            channels: as `to_channels` gives them, (C, H, W).
            where: (H, W).
        """
        x = channels.permute(1, 2, 0).numpy()
        if self.transparent:
            alpha = np.clip(x[..., -1:], 0, self.top)
            x = np.concatenate([x[..., :-1] * self.top / np.maximum(alpha, 1), alpha], -1)
        own = self.pixels.copy()
        new = np.clip(np.rint(x), 0, self.top).astype(own.dtype)
        own[where.numpy(), : new.shape[2]] = new[where.numpy()]
        if self.black_and_white:
            own = np.where(own > self.top // 2, self.top, 0).astype(own.dtype)
        if self.palette is None:
            return replace(self, pixels=own)
        palette = _nearest(self.palette, own, where.numpy())
        return replace(self, pixels=palette.colours[palette.numbers], palette=palette)

    def larger(self, channels: Tensor) -> "Picture":
        """A picture of the same kind and another size with these channels, (C, H, W); alpha follows block by block."""
        height, width = channels.shape[1:]
        grown = [
            np.arange(length) * own // length for length, own in zip((height, width), self.pixels.shape, strict=False)
        ]
        bare = replace(self, pixels=self.pixels[np.ix_(*grown)], palette=None, black_and_white=False)
        return bare.with_channels(channels, torch.ones(height, width, dtype=torch.bool))

    def to_bytes(self, suffix: str) -> bytes:
        """The file, .png or .tif.

        Raises:
            UsageError: colours of 16 bits as .tif.
        """
        if self.pixels.dtype == np.uint16 and suffix == ".png":
            return png16(self.pixels, self.profile)
        if self.pixels.dtype == np.uint16 and self.pixels.shape[2] > 1:
            raise UsageError("colours of 16 bits are written as .png.")
        buffer, more = io.BytesIO(), {} if self.profile is None else {"icc_profile": self.profile}
        # a TIFF has no palette with alpha
        whole = replace(self, palette=None) if suffix != ".png" and self.pixels.shape[2] == 4 else self
        whole._image().save(buffer, "PNG" if suffix == ".png" else "TIFF", **more)
        return buffer.getvalue()

    def _image(self) -> Image.Image:
        if self.palette is None:
            image = Image.fromarray(self.pixels.squeeze(2) if self.pixels.shape[2] == 1 else self.pixels)
            return image.convert("1") if self.black_and_white else image
        image = Image.fromarray(self.palette.numbers)
        image.putpalette(self.palette.colours[:, :3].astype(np.uint8).tobytes())
        if self.palette.colours.shape[1] == 4:
            image.info["transparency"] = self.palette.colours[:, 3].astype(np.uint8).tobytes()
        return image


def read_picture(path: str | Path, top: int | None = None) -> Picture:
    """A picture file with the pixels that it holds: 8 or 16 bits, alpha, palette and colour profile kept, upright.

    Args:
        path: the file.
        top: the value of 16 bits that is white, 4095 of a camera with 12 bits; without it, told from the pixels.

    Raises:
        BadImage: not a picture, one of 32 bits a pixel, or one with a value above `top`.
    """
    deep = sixteen_bits(path)
    with image_file(path) as image:
        mode, profile = image.mode, image.info.get("icc_profile")
        if deep is not None:
            return _with_white(Picture(np.atleast_3d(deep), profile=profile), path, top)
        if mode.startswith(("I", "F")):
            raise BadImage(path, "32 bits a pixel; 8 or 16 are needed")
        upright = ImageOps.exif_transpose(image)
        if mode == "P":
            colours = np.asarray(upright.convert("RGBA" if image.has_transparency_data else "RGB"))
            return Picture(colours, palette=_palette(upright), profile=profile)
        kept = upright.convert("L") if mode == "1" else upright if mode in KEPT else upright.convert("RGB")
        other = f"{printable(path)} has the colours of {mode}; it is read and written as RGB."
        pixels, notes = np.atleast_3d(np.asarray(kept)), () if mode in KEPT else (other,)
    return Picture(pixels, mode == "1", profile=profile, notes=notes)


def _with_white(picture: Picture, path: str | Path, top: int | None) -> Picture:
    """A picture of 16 bits with the value that is white in it, as told or as its bits in use say."""
    colours = picture.pixels[..., :-1] if picture.pixels.shape[2] in (2, 4) else picture.pixels
    most = int(colours.max())
    if top is not None and most > top:
        raise BadImage(path, f"it holds the value {most}, more than top = {top}")
    if picture.transparent or (top is None and not 0 < most < HALF):
        return picture
    bits = most.bit_length()
    said = f"{bits} of 16 bits are used: {2**bits - 1} is taken as white; if another value is, pass it as top (--top)."
    return replace(picture, limit=2**bits - 1 if top is None else top, notes=() if top else (said,))


def _palette(image: Image.Image) -> Palette:
    """The palette of a picture in mode P, with the alpha of each colour if the file says one."""
    numbers = np.asarray(image)
    count = int(numbers.max()) + 1
    sample = Image.fromarray(np.arange(count, dtype=np.uint8)[None])
    sample.putpalette(image.getpalette("RGB") or [])
    sample.info["transparency"] = image.info.get("transparency")
    if sample.info["transparency"] is None:
        del sample.info["transparency"]
    return Palette(np.asarray(sample.convert("RGBA" if "transparency" in sample.info else "RGB"))[0], numbers)


def _nearest(palette: Palette, pixels: np.ndarray, where: np.ndarray) -> Palette:
    """The palette whose numbers at some places are those of the colours that are nearest to these pixels."""
    wanted = pixels[where].astype(np.int32)
    colours, numbers = palette.colours.astype(np.int32), palette.numbers.copy()
    best = [
        ((colours - some[:, None]) ** 2).sum(-1).argmin(1) for some in np.array_split(wanted, len(wanted) // 4096 + 1)
    ]
    numbers[where] = np.concatenate(best).astype(numbers.dtype)
    return Palette(palette.colours, numbers)


def png16(pixels: np.ndarray, profile: bytes | None = None) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write in colour (PNG specification, third edition, 2025).

    Args:
        pixels: (H, W, C), uint16; grey, grey and alpha, RGB, or RGB and alpha.
        profile: ICC profile.
    """
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    up = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2: the difference to the row above
    lines = np.concatenate([np.full((height, 1), 2, np.uint8), up], 1)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    chunks += [] if profile is None else [(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))]
    chunks += [(b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def model_channels(x: Tensor, picture: "Picture", levels: int, top: int | None = None) -> Tensor:
    """A point of a model's image space in the channels of a picture, opaque: grey is repeated, colours are averaged.

    Args:
        x: (C, H, W), 0 ... levels-1.
        picture: whose channels they shall have.
        levels: of the space.
        top: the value that is white in a picture of 16 bits, if it is not the largest.
    """
    wanted = picture.to_channels()
    colours = len(wanted) - picture.transparent
    white = picture.top if top is None or picture.top == 255 else top
    v = x.float() * (white / (levels - 1))
    v = v if len(v) == colours else v.mean(0, keepdim=True).expand(colours, -1, -1)
    return torch.cat([v, torch.full_like(v[:1], picture.top)]) if picture.transparent else v
