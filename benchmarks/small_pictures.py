"""Small colour pictures: how many bits an entry takes, beside PNG and a Gaussian mixture of patches.

    OMP_NUM_THREADS=1 python benchmarks/small_pictures.py [minutes] [setting=value ...] [--keep FOLDER]

With --keep, samples, fillings and enlargements are left in FOLDER, to be looked at.

2,000 pictures of 32 x 32 pixels from the left two thirds of eight photographs that come with scikit-image and
scikit-learn, 400 from the right thirds. The autoregressive model has the minutes (10); PNG's own rate is that of
Pillow's smallest files; the mixture has 60 Gaussians on tiles of 4 x 4 x 3 pixels with a uniform cell's noise added,
and its rate is a bound (Theis, van den Oord & Bethge 2016, arXiv:1511.01844).
"""

import io
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.mixture import GaussianMixture

import priorcraft as pc
from photos import BUNDLED

SIDE, TRAIN, TEST, TILE = 32, 2000, 400, 4


def pictures(n, part, seed):
    """n crops (n, 3, 32, 32) of that part, from and to a share of the width, of each photograph."""
    rng, crops = np.random.default_rng(seed), []
    files = [folder / name for folder, names in BUNDLED.items() for name in names if name != "camera.png"]
    images = [np.asarray(Image.open(file).convert("RGB").reduce(2)) for file in files]
    for i in range(n):
        image = images[i % len(images)]
        low, high = (int(share * image.shape[1]) for share in part)
        top, left = rng.integers(0, image.shape[0] - SIDE + 1), rng.integers(low, high - SIDE + 1)
        crops.append(image[top : top + SIDE, left : left + SIDE])
    return np.stack(crops).transpose(0, 3, 1, 2)


def png(x):
    """Bits an entry of the smallest PNG of each picture, without the 57 bytes that every file has."""
    sizes = []
    for picture in x:
        buffer = io.BytesIO()
        Image.fromarray(picture.transpose(1, 2, 0)).save(buffer, "PNG", optimize=True)
        sizes.append(len(buffer.getvalue()) - 57)
    return 8 * np.mean(sizes) / x[0].size


def tiles(x, rng):
    """Tiles of all pictures, a uniform cell's noise added, (n, 48)."""
    n = SIDE // TILE
    cut = x.reshape(len(x), 3, n, TILE, n, TILE).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 3 * TILE**2)
    return cut + rng.uniform(size=cut.shape)


def mixture(train, test):
    """Bits an entry of a Gaussian mixture of tiles."""
    rng = np.random.default_rng(0)
    seen = rng.permutation(tiles(train, rng))[:30_000]
    model = GaussianMixture(60, reg_covar=0.1, random_state=0, max_iter=60).fit(seen)
    return -model.score(tiles(test, rng)) / (3 * TILE**2) / math.log(2)


if __name__ == "__main__":
    words = sys.argv[1:]
    KEPT = Path(words.pop(words.index("--keep") + 1)) if "--keep" in words else None
    minutes = float(words[0]) if words else 10.0
    settings = dict(pair.split("=") for pair in words[1:] if "=" in pair)
    train, test = pictures(TRAIN, (0, 2 / 3), 0), pictures(TEST, (2 / 3, 1), 1)
    print(f"{TRAIN:,} pictures of {SIDE} x {SIDE} in colour; bits an entry of {TEST} others: ", end="")
    print(f"PNG {png(test):.3f}, mixture of tiles <= {mixture(train, test):.3f}", flush=True)
    wall, cpu = time.perf_counter(), time.process_time()
    run = pc.fit(train, "autoregressive", minutes=minutes, settings=settings)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    with torch.no_grad():
        nats = -run.model.log_prob(torch.from_numpy(test).long()).mean() / test[0].size
    print(f"autoregressive, {wall:.0f} s ({cpu:.0f} CPU s): {nats / math.log(2):.3f}", flush=True)
    if KEPT is not None:
        KEPT.mkdir(parents=True, exist_ok=True)
        pc.sample(run, 40).save(KEPT / "samples.png", overwrite=True)
        pc.inpaint(run, mask="centre", data=run.splits, limit=6, n=4).save(KEPT / "filled.png", overwrite=True)
        pc.upscale(run, data=run.splits, limit=3, n=4).save(KEPT / "larger.png", overwrite=True)
    judged = pc.evaluate(run)
    print(f"two-sample AUC of {judged.n} samples: {judged.two_sample.auc:.3f} ({judged.two_sample.verdict.value})")
