"""One rule for images of another size than a model's: asked about in windows, cropped and resized, or refused."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from priorcraft.contents import printable
from priorcraft.core import Space
from priorcraft.datasets.image import head, read_image
from priorcraft.datasets.progress import say
from priorcraft.errors import DataError, UsageError


def sized(name: str, size: tuple[int, int], space: Space, *, windows: bool) -> tuple[tuple[int, int], str | None]:
    """The height and width at which an image is asked about, and a sentence if they are not what the model knows.

    An image of the model's size is taken as it is. Where the answer is an image itself (`inpaint`, `upscale`,
    `translate`), a larger one is asked about in windows of the model's size, and a smaller one is refused. Everywhere
    else any image is cropped about its centre to the model's proportions and resized, as `fit` does with a folder.

    Args:
        name: of the image.
        size: its height and width.
        space: of images that the model knows.
        windows: whether the answer is an image.

    Raises:
        UsageError: a space that holds no images.
        DataError: an image that is too small for windows.

    >>> sized("a.png", (9, 8), Space((1, 8, 8), 17), windows=False)
    ((8, 8), 'a.png is 8 x 9: cropped about its centre and resized to 8 x 8, which the model knows.')
    >>> sized("a.png", (8, 8), Space((1, 8, 8), 17), windows=True)
    ((8, 8), None)
    """
    if not space.is_image:
        raise UsageError("the model knows rows and no images; impute draws the missing values of rows.")
    height, width = space.event_shape[1:]
    if size == (height, width):
        return size, None
    here = f"{name} is {size[1]} x {size[0]}"
    if not windows:
        return (height, width), (
            f"{here}: cropped about its centre and resized to {width} x {height}, which the model knows."
        )
    if size[0] < height or size[1] < width:
        raise DataError(f"{here}; {width} x {height} is needed, or more.")
    return size, f"{here}: asked about in windows of {width} x {height}, which the model knows."


def read_sized(path: str | Path, space: Space, *, windows: bool, top: int | None = None) -> Tensor:
    """An image file with the channels and levels of a space, by that rule; what happens to its size is said first.

    Args:
        path, space, top: as in `read_image`.
        windows: as in `sized`.

    Raises:
        UsageError, DataError: as `sized` and `read_image` do.
    """
    shape, said = sized(printable(path), head(path)[0], space, windows=windows)
    if said is not None:
        say(said)
    return read_image(path, Space((space.event_shape[0], *shape), space.levels), resize=True, top=top)


def read_alike(paths: Sequence[str | Path], space: Space, top: int | None = None) -> Tensor:
    """Images of one size for an answer in images, (B, C, H, W), by the rule of windows.

    Raises:
        UsageError, DataError: as `read_sized` does; images of several sizes.
    """
    images = [read_sized(path, space, windows=True, top=top) for path in paths]
    for image, path in zip(images, paths, strict=True):
        if image.shape != images[0].shape:
            raise DataError(f"{printable(path)} is not of the size of {printable(paths[0])}; give them one at a time.")
    return torch.stack(images)
