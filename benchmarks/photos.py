"""Photographs repaired and enlarged without a model of one's own, beside what OpenCV, scikit-image and Pillow do.

    OMP_NUM_THREADS=1 python benchmarks/photos.py [name ...]

Eight photographs that come with scikit-image and scikit-learn, 256 x 256 pixels from the middle of each; four masks:
PSNR of the hidden pixels, dB, beside Telea's method, Navier-Stokes (OpenCV) and the biharmonic equation (scikit-image);
the share of hidden pixels whose truth lies in the central 90 % of sixteen draws; CPU seconds. Then the same photographs
made 2 and 4 times smaller and enlarged, beside Pillow's bicubic and Lanczos; "consistency" is the root mean square
error of the enlarged picture's block means. Last, the time for 512 x 512 pixels of which 3 % are hidden.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import skimage
import sklearn.datasets
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.restoration import inpaint_biharmonic

from priorcraft import runtime
from priorcraft.metrics.restoration import coverage
from priorcraft.photo.enlarging import enlarge, whole
from priorcraft.photo.filling import fill

SIDE, DRAWS = 256, 16
BUNDLED = {
    Path(skimage.__file__).parent / "data": (
        "astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"
    ),
    Path(sklearn.datasets.__file__).parent / "images": ("china.jpg", "flower.jpg"),
}  # fmt: skip
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "runs", "away")
KINDS = ("text", "scratches", "random", "blocks")


def photograph(path, side):
    """The middle of an image file, (C, side, side) floats; one channel if it is grey."""
    image = np.asarray(Image.open(path).convert("RGB"))
    top, left = ((length - side) // 2 for length in image.shape[:2])
    x = torch.from_numpy(image[top : top + side, left : left + side].copy()).permute(2, 0, 1).float()
    return x[:1] if bool((x == x[:1]).all()) else x


def hidden(kind, side, rng):
    """True where a mask of that kind hides, (side, side)."""
    mask = np.zeros((side, side), np.uint8)
    if kind == "text":
        for line in range(18, side, 22):
            words = " ".join(rng.permutation(WORDS))
            cv2.putText(mask, words, (2, line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1, 1)
    elif kind == "scratches":
        for _ in range(12):
            stroke(mask, rng, int(rng.integers(1, 4)))
    elif kind == "random":
        mask = rng.uniform(size=mask.shape) < 0.3
    else:
        while mask.sum() < 12 * 24**2:
            top, left = rng.integers(4, side - 28, 2)
            if not mask[top - 4 : top + 28, left - 4 : left + 28].any():
                mask[top : top + 24, left : left + 24] = 1
    return torch.from_numpy(np.asarray(mask, bool))


def stroke(mask, rng, width):
    """One scratch across a mask, in place."""
    side = len(mask)
    points = np.cumsum(np.vstack([rng.uniform(0, side, (1, 2)), rng.normal(0, side / 5, (5, 2))]), 0)
    cv2.polylines(mask, [points.round().astype(np.int32)], False, 1, width)


def peers(x, mask):
    """What the others make of the hidden pixels, by name, each (C, H, W)."""
    image, hide = x.permute(1, 2, 0).numpy(), mask.numpy()
    bytes_ = np.ascontiguousarray(image.astype(np.uint8).squeeze())
    found = {
        "Telea": cv2.inpaint(bytes_, hide.astype(np.uint8), 3, cv2.INPAINT_TELEA),
        "Navier-Stokes": cv2.inpaint(bytes_, hide.astype(np.uint8), 3, cv2.INPAINT_NS),
        "biharmonic": inpaint_biharmonic(np.where(hide[..., None], 0, image) / 255, hide, channel_axis=-1) * 255,
    }
    return {name: torch.from_numpy(y.reshape(image.shape)).permute(2, 0, 1).float() for name, y in found.items()}


def resized(small, side, method):
    """Pillow's enlargement of a small picture (C, h, w)."""
    image = Image.fromarray(small.permute(1, 2, 0).numpy().astype(np.uint8).squeeze()).resize((side, side), method)
    return torch.from_numpy(np.array(image).reshape(side, side, -1)).permute(2, 0, 1).float()


def psnr(x, truth, scored):
    """dB of 8-bit pictures over the scored pixels."""
    return float(-10 * (((x.round().clamp(0, 255) - truth) / 255).square()[:, scored].mean()).log10())


def timed(work, *args, **more):
    """A result and its CPU seconds."""
    began = time.process_time()
    return work(*args, **more), time.process_time() - began


def repaired(photographs):
    """A line for each kind of mask: means over the photographs."""
    print(
        "\nhidden pixels, PSNR in dB | ours | Telea | Navier-Stokes | biharmonic | ours - best | in 90 % sets | CPU s"
    )
    for kind in KINDS:
        rows = []
        for number, x in enumerate(photographs):
            mask = hidden(kind, SIDE, np.random.default_rng(number))
            done, seconds = timed(
                fill, x * ~mask, mask, peak=255, n=DRAWS, generator=runtime.keyed(number, "benchmark")
            )
            inside = coverage(done.draws.round()[None], x[None], mask, generator=runtime.keyed(number, "ties"))
            found = [psnr(done.mean, x, mask), *(psnr(y, x, mask) for y in peers(x, mask).values())]
            rows.append([*found, inside, seconds])
        ours, *others, inside, seconds = np.mean(rows, 0)
        print(f"{kind} | {ours:.2f} | " + " | ".join(f"{v:.2f}" for v in others), end="")
        print(f" | {ours - max(others):+.2f} | {inside:.1%} | {seconds:.1f}", flush=True)


def enlarged(photographs):
    """A line for each factor: means over the photographs."""
    print("\nenlarging, PSNR in dB | ours | bicubic | Lanczos | ours - bicubic | consistency | in 90 % sets | CPU s")
    everything = torch.ones(SIDE, SIDE, dtype=torch.bool)
    for factor in (2, 4):
        rows = []
        for number, x in enumerate(photographs):
            small = F.avg_pool2d(x, factor).round()
            done, seconds = timed(
                enlarge, small, factor, peak=255, n=DRAWS, generator=runtime.keyed(number, "benchmark")
            )
            large = whole(done.mean, small, factor, 255).float()
            draws = whole(done.draws, small.expand(DRAWS, *small.shape), factor, 255)
            inside = coverage(draws[None], x[None].long(), everything, generator=runtime.keyed(number, "ties"))
            others = [resized(small, SIDE, method) for method in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)]
            off = float((F.avg_pool2d(large, factor) - small).square().mean().sqrt())
            rows.append([*(psnr(y, x, everything) for y in (large, *others)), off, inside, seconds])
        ours, bicubic, lanczos, off, inside, seconds = np.mean(rows, 0)
        print(f"x {factor} | {ours:.2f} | {bicubic:.2f} | {lanczos:.2f} | {ours - bicubic:+.2f}", end="")
        print(f" | {off:g} | {inside:.1%} | {seconds:.1f}", flush=True)


def cost(path):
    """512 x 512 pixels in colour, 3 % hidden by scratches."""
    x, rng, mask = photograph(path, 512), np.random.default_rng(0), np.zeros((512, 512), np.uint8)
    while mask.mean() < 0.03:
        stroke(mask, rng, 2)
    hide = torch.from_numpy(mask.astype(bool))
    done, seconds = timed(fill, x * ~hide, hide, peak=255, generator=runtime.keyed("benchmark"))
    others, theirs = timed(peers, x, hide)
    best = max(psnr(y, x, hide) for y in others.values())
    print(f"\n512 x 512, 3 % hidden: {seconds:.1f} CPU s ({theirs:.2f} for the three others together); ", end="")
    print(f"{psnr(done.mean, x, hide):.2f} dB, best of the others {best:.2f}")


if __name__ == "__main__":
    asked = sys.argv[1:]
    files = [folder / name for folder, names in BUNDLED.items() for name in names]
    chosen = [file for file in files if not asked or file.stem in asked]
    pictures = [photograph(file, SIDE) for file in chosen]
    print(f"{len(chosen)} photographs of {SIDE} x {SIDE}: " + ", ".join(file.stem for file in chosen))
    repaired(pictures)
    enlarged(pictures)
    cost(chosen[0])
