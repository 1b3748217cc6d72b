"""Inpainting and super-resolution of test images: fitted models beside what people use.

    python benchmarks/evidence.py RUN [RUN ...] [--data digits] [--limit 450] [--draws 64]
    python benchmarks/evidence.py --photograph 5 [--draws 8]

Rows: Telea and Navier-Stokes (OpenCV), biharmonic (scikit-image), bicubic (Pillow), a copy from the nearest training
row, the conditional mean of a Gaussian mixture of 40 components (scikit-learn, with the regularisation that did best of
four on validation rows of the digits whose bottom half is hidden; beyond 100 pixels in 60 principal components), and
each run. Last, how often a support vector machine names the class from what is seen alone, its settings chosen on
validation rows: a draw can hardly have the right class more often. Cells: PSNR in dB of the restored image or the
posterior mean over the scored pixels / accuracy of a judge on the restored image, or on single draws of the posterior.
The judge is fitted to real training and validation rows. No method was trained for a mask.

With --photograph an exact model is trained for so many minutes on patches of scikit-image's photographs; then scratches
on another photograph, 256 x 256, are restored, and the same photograph is enlarged from 128 x 128.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from skimage import color
from skimage import data as photographs
from skimage.restoration import inpaint_biharmonic
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.svm import SVC

import priorcraft as pc
from priorcraft.condition import posterior
from priorcraft.explicit.exact.autoregressive import Autoregressive
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.restoration import psnr
from priorcraft.observe import BlockMean, Mask
from priorcraft.observe.named import named_mask

MASKS = {"centre": "centre", "bottom": "bottom", "random half": "random:0.5"}
SMALL = "2x2 means"
ROWS, DIMS, KEPT = 5000, 100, 60  # training rows of the baselines; pixels above which the mixture looks at components
PATCHES = 4000  # of each photograph
TRAINED_ON, RESTORED = ("astronaut", "coffee", "chelsea", "rocket", "moon", "coins"), "camera"


def bytes_of(x, top):
    """Grey images (B, 1, H, W) as 8 bits."""
    return (x[:, 0].numpy() * (255 / top)).round().astype(np.uint8)


def opencv(x, hidden, method, top):
    """Each image with its hole filled in by OpenCV, on 8 bits."""
    hole = hidden[0].numpy().astype(np.uint8)
    filled = [cv2.inpaint(image, hole, 2, method) for image in bytes_of(torch.where(hidden, 0, x), top)]
    return torch.from_numpy(np.stack(filled)[:, None] * (top / 255))


def biharmonic(x, hidden, top):
    """Each image with its hole filled in by scikit-image."""
    holes = np.where(hidden[0].numpy(), 0.0, x[:, 0].numpy() / top)
    filled = [inpaint_biharmonic(image, hidden[0].numpy()) for image in holes]
    return torch.from_numpy(np.stack(filled)[:, None]).clamp(0, 1) * top


def bicubic(seen, factor):
    """Small images enlarged by Pillow."""
    height, width = (factor * side for side in seen.shape[2:])
    large = [Image.fromarray(i[0].float().numpy()).resize((width, height), Image.Resampling.BICUBIC) for i in seen]
    return torch.from_numpy(np.stack([np.asarray(image) for image in large])[:, None]).double()


def nearest(train, y, show):
    """The training row that shows nearly the same."""
    return train[torch.cdist(y.flatten(1).double(), show(train).flatten(1).double()).argmin(1)].double()


def mixture_of(train, top):
    """Weights, means and covariances of a mixture of 40 Gaussians."""
    flat, regular = train.flatten(1).double().numpy(), 5.0 * (top / 16) ** 2
    if flat.shape[1] <= DIMS:
        found = GaussianMixture(40, reg_covar=regular, random_state=0).fit(flat)
        return [torch.from_numpy(a) for a in (found.weights_, found.means_, found.covariances_)]
    pca = PCA(KEPT, random_state=0).fit(flat)
    found = GaussianMixture(40, reg_covar=regular, random_state=0).fit(pca.transform(flat))
    means = np.asarray(found.means_) @ pca.components_ + pca.mean_
    rest = pca.noise_variance_ * np.eye(flat.shape[1])
    basis = np.asarray(pca.components_)
    covariances = basis.T @ np.asarray(found.covariances_) @ basis + rest
    return [torch.from_numpy(a) for a in (found.weights_, means, covariances)]


def mixture_mean(mixture, y, matrix):
    """E[x | A x = y] under a Gaussian mixture."""
    total, log_w = [], []
    for weight, mean, covariance in zip(*mixture, strict=True):
        spread = matrix @ covariance @ matrix.T
        spread = spread + 1e-9 * spread.diagonal().mean() * torch.eye(len(matrix))
        normal = torch.distributions.MultivariateNormal(matrix @ mean, spread)
        gain = torch.linalg.solve(spread, matrix @ covariance).T
        total.append(mean + (y - matrix @ mean) @ gain.T)
        log_w.append(normal.log_prob(y) + weight.log())
    weights = torch.stack(log_w, 1).softmax(1)
    return (weights.unsqueeze(2) * torch.stack(total, 1)).sum(1)


def cell(x, truth, labels, scored, judge, top):
    """PSNR / judge of one restored image a row."""
    found = "–" if judge is None else f"{judge.fidelity(x.round().clamp(0, top).long(), labels):.3f}"
    return f"{psnr(x, truth, scored, top):.2f} / {found}"


def told_by_seen(splits, show, limit):
    """Accuracy of a support vector machine on what is seen alone, its settings chosen on validation rows."""
    rows = [show(splits.rows(part).x).flatten(1).double().numpy() for part in ("train", "valid", "test")]
    unit, settings = rows[0].shape[1] * rows[0].var(), [(c, g) for c in (1, 10) for g in (1, 2, 4)]
    machines = [SVC(C=c, gamma=g / unit).fit(rows[0], splits.train.y) for c, g in settings]
    best = max(machines, key=lambda machine: machine.score(rows[1], splits.valid.y))
    return f"– / {best.score(rows[2][:limit], splits.test.y[:limit]):.3f}"


def masked(name, splits, train, x, y, judge, mixture):
    """The baselines of one mask."""
    seen, top = named_mask(MASKS[name], splits.space), splits.space.levels - 1
    hidden, eye = ~seen, torch.eye(splits.space.dims, dtype=torch.float64)[seen.flatten()]
    mean = mixture_mean(mixture, x.flatten(1)[:, seen.flatten()].double(), eye).view(x.shape)
    restored = {
        "Telea": opencv(x, hidden, cv2.INPAINT_TELEA, top),
        "Navier-Stokes": opencv(x, hidden, cv2.INPAINT_NS, top),
        "biharmonic": biharmonic(x, hidden, top),
        "nearest neighbour": nearest(train, x * seen, lambda t: t * seen),
        "Gaussian mixture, 40": mean,
    }
    return {k: cell(torch.where(seen, x, v.double()), x, y, hidden, judge, top) for k, v in restored.items()}


def small(splits, train, x, y, judge, mixture):
    """The baselines of twice the size."""
    observation, everything = BlockMean(2), torch.ones(splits.space.event_shape, dtype=torch.bool)
    seen, dims = observation.forward(x).double(), splits.space.dims
    matrix = observation.forward(torch.eye(dims, dtype=torch.float64).view(dims, *x.shape[1:])).flatten(1).T
    restored = {
        "bicubic": bicubic(seen, 2),
        "nearest neighbour": nearest(train, seen, observation.forward),
        "Gaussian mixture, 40": mixture_mean(mixture, seen.flatten(1), matrix).view(x.shape),
    }
    return {k: cell(v.double(), x, y, everything, judge, splits.space.levels - 1) for k, v in restored.items()}


def of_run(path, data, tasks, limit, draws):
    """The cells of one run, and what goes with them."""
    cells, notes = {}, []
    for name in tasks:
        how = {"data": data, "limit": limit, "n": min(4, draws), "draws": draws}
        try:
            answer = pc.inpaint(path, mask=MASKS[name], **how) if name in MASKS else pc.upscale(path, factor=2, **how)
        except pc.errors.PriorcraftError as reason:
            notes.append(f"{path} · {name}: {reason}")
            continue
        judge = "–" if answer.judge_samples is None else f"{answer.judge_samples:.3f}"
        cells[name] = f"{answer.psnr_mean:.2f} / {judge}"
        notes.append(
            f"{path} · {name}: {answer.kind}, {answer.method}; judge on the mean {answer.judge_mean}; coverage "
            f"{answer.coverage90}; bits per hidden pixel {answer.bits_per_hidden}; consistency {answer.consistency:g}; "
            f"{answer.diagnostics} {answer.seconds:.1f} s {' '.join(answer.notes)}"
        )
    return cells, notes


@torch.no_grad()
def told_by_run(path, splits, limit):
    """What an autoregressive run knows of the class from what is seen, p(c | seen), in a sentence for each mask."""
    model, notes = pc.load(path, device="cpu").model, []
    x, y = splits.test.x[:limit].long(), splits.test.y[:limit]
    for name in MASKS if isinstance(model, Autoregressive) and model.classes else ():
        engine = posterior(model, Mask(named_mask(MASKS[name], splits.space)), x)
        each = engine.joint.unflatten(1, (-1, model.classes)).logsumexp(1).softmax(1)
        best, mean = (each.argmax(1) == y).float().mean(), each[torch.arange(len(y)), y].mean()
        notes.append(f"{path} · {name}: the most probable class is right in {best:.1%}, a drawn one in {mean:.1%}")
    return notes


def table(runs, data, limit, draws):
    """Prints the table of baselines and runs."""
    splits = pc.open_data(data)
    x, train = splits.test.x[:limit].long(), splits.train.x[:ROWS].long()
    y = None if splits.test.y is None else splits.test.y[:limit]
    judge = None if y is None or not splits.classes else Judge(splits)
    tasks = [*(MASKS if splits.space.dims <= DIMS else ["bottom"]), SMALL]
    mixture = mixture_of(train, splits.space.levels - 1)
    shared = (splits, train, x, y, judge, mixture)
    columns = {name: masked(name, *shared) if name in MASKS else small(*shared) for name in tasks}
    if judge is not None and splits.space.dims <= DIMS:
        for name, column in columns.items():
            seen = None if name == SMALL else named_mask(MASKS[name], splits.space)
            show = BlockMean(2).forward if seen is None else lambda t, seen=seen: t[:, seen]
            column["class by what is seen"] = told_by_seen(splits, show, limit)
    notes = []
    for path in runs:
        cells, said = of_run(path, data, tasks, limit, draws)
        notes += said + (told_by_run(path, splits, limit) if judge is not None and splits.space.dims <= DIMS else [])
        for name, text in cells.items():
            columns[name][path] = text
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    print("| method | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for row in sorted(rows, key=lambda r: r in runs):
        print(f"| {row} | " + " | ".join(columns[name].get(row, "–") for name in columns) + " |")
    print("\n" + "\n".join(notes))


def grey(name):
    """One of scikit-image's photographs, grey, 8 bits."""
    image = getattr(photographs, name)()
    return (color.rgb2gray(image) * 255).round().astype(np.uint8) if image.ndim == 3 else image


def patches(folder, side):
    """Patches of the photographs to learn from, as a file."""
    rng, found = np.random.default_rng(0), []
    for image in map(grey, TRAINED_ON):
        corners = rng.integers(0, np.array(image.shape) - side, (PATCHES, 2))
        found += [image[i : i + side, j : j + side] for i, j in corners]
    np.savez(folder / "patches.npz", x=np.stack(found)[:, None], levels=256)
    return folder / "patches.npz"


def scratches():
    """Twelve lines across 256 x 256 pixels, white where hidden."""
    rng, mask = np.random.default_rng(0), np.zeros((256, 256), np.uint8)
    for a, b, c, d in rng.integers(0, 256, (12, 4)).tolist():
        cv2.line(mask, (a, b), (c, d), 255, 3)
    return mask


def decibels(x, truth, scored):
    """PSNR of 8-bit images where scored."""
    return f"{10 * np.log10(255**2 / np.square(x.astype(float) - truth)[scored].mean()):.2f} dB"


def photograph(minutes, draws, model, settings, side, folder):
    """Restores and enlarges a photograph by a model of patches of others."""
    if not (folder / "run").exists():
        pc.fit(patches(folder, side), model, minutes=minutes, settings=settings, out=folder / "run", device="cpu")
    truth, mask = np.asarray(Image.fromarray(grey(RESTORED)).resize((256, 256), Image.Resampling.BOX)), scratches()
    hole, little = mask > 0, np.asarray(Image.fromarray(truth).resize((128, 128), Image.Resampling.BOX))
    for name, image in {"scratched": np.where(hole, 255, truth), "mask": mask, "small": little}.items():
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{name}.png")
    run, shared = pc.load(folder / "run"), {"n": draws, "draws": draws}
    found = pc.inpaint(run, folder / "scratched.png", mask=str(folder / "mask.png"), **shared)
    found.save(folder / "restored.png", "restored", overwrite=True)
    print(f"scratches over {hole.mean():.1%} of {RESTORED}, {model}, {minutes} minutes: {found.seconds:.0f} s")
    print("  Telea", decibels(cv2.inpaint(np.where(hole, 0, truth), mask, 3, cv2.INPAINT_TELEA), truth, hole))
    smooth = inpaint_biharmonic(np.where(hole, 0, truth) / 255, hole).clip(0, 1) * 255
    print("  biharmonic", decibels(smooth, truth, hole))
    print(f"  mean of {draws}", decibels(found.mean[0, 0].numpy(), truth, hole))
    print("  one draw", decibels(found.x[0, 0, 0].numpy(), truth, hole))
    print("  seen pixels kept:", bool((found.x[0, :, 0].numpy() == truth)[:, ~hole].all()))
    large = pc.upscale(run, folder / "small.png", factor=2, **shared)
    large.save(folder / "enlarged.png", "restored", overwrite=True)
    x, everywhere = large.x[0, 0, 0].numpy().astype(float), np.ones_like(hole)
    print(f"128 to 256: {large.method}, {large.seconds:.0f} s, consistency {large.consistency}")
    print("  bicubic", decibels(np.asarray(Image.fromarray(little).resize((256, 256))), truth, everywhere))
    print(f"  mean of {draws}", decibels(large.mean[0, 0].numpy(), truth, everywhere))
    print("  one draw", decibels(x, truth, everywhere))
    steps, wanted = np.abs(np.diff(x)).mean(0), np.abs(np.diff(truth.astype(float))).mean(0)
    apart = side * 3 // 4  # windows overlap by a quarter
    each = [steps[k::apart].mean() / wanted[k::apart].mean() for k in range(apart)]
    print("  step between columns over the truth's, by place in a window:", " ".join(f"{v:.2f}" for v in each))


def main():
    """Prints what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--limit", type=int, default=450)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--photograph", type=float, metavar="MINUTES")
    parser.add_argument("--model", default="autoregressive", help="of the patches")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of that model")
    parser.add_argument("--patch", type=int, default=12, metavar="PIXELS", help="side of a patch")
    parser.add_argument("--keep", type=Path, help="folder of the photograph's run and pictures")
    asked = parser.parse_args()
    if asked.photograph is None:
        table(asked.runs, asked.data, asked.limit, asked.draws)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        settings = dict(pair.split("=", 1) for pair in asked.set)
        photograph(asked.photograph, asked.draws, asked.model, settings, asked.patch, folder)


if __name__ == "__main__":
    main()
