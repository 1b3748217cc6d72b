"""Inpainting and super-resolution of 450 digits: fitted models beside what people use.

    python benchmarks/evidence.py RUN [RUN ...] [--limit 450] [--draws 64]

Rows: Telea and Navier-Stokes (OpenCV), biharmonic (scikit-image), bicubic (Pillow), a copy from the nearest training
row, the conditional mean of a Gaussian mixture of 40 components (scikit-learn, with the regularisation that did best of
four on validation rows whose bottom half is hidden), and each run. Cells: PSNR in dB of the restored image or the
posterior mean over the scored pixels / accuracy of a judge on the restored image, or on single draws of the posterior.
The judge is fitted to real training and validation rows. No method was trained for a mask.
"""

import argparse

import cv2
import numpy as np
import torch
from PIL import Image
from skimage.restoration import inpaint_biharmonic
from sklearn.mixture import GaussianMixture

import priorcraft as pc
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.restoration import psnr
from priorcraft.observe import BlockMean
from priorcraft.tasks.masks import named_mask

MASKS = {"centre": "centre", "bottom": "bottom", "random half": "random:0.5"}
TOP = 16.0


def opencv(x, hidden, method):
    """Each image with its hole filled in by OpenCV, on 8 bits."""
    bytes_ = (x[:, 0].numpy() * (255 / TOP)).round().astype(np.uint8)
    filled = [cv2.inpaint(image, hidden[0].numpy().astype(np.uint8), 2, method) for image in bytes_]
    return torch.from_numpy(np.stack(filled)[:, None] * (TOP / 255))


def biharmonic(x, hidden):
    """Each image with its hole filled in by scikit-image."""
    holes = np.where(hidden[0].numpy(), 0.0, x[:, 0].numpy() / TOP)
    filled = [inpaint_biharmonic(image, hidden[0].numpy()) for image in holes]
    return torch.from_numpy(np.stack(filled)[:, None]).clamp(0, 1) * TOP


def nearest(train, y, show):
    """The training row that shows nearly the same."""
    return train[torch.cdist(y.flatten(1).double(), show(train).flatten(1).double()).argmin(1)].double()


def mixture_mean(mixture, y, matrix):
    """E[x | A x = y] under a Gaussian mixture."""
    means, covariances = torch.from_numpy(mixture.means_), torch.from_numpy(mixture.covariances_)
    total, log_w = [], []
    for mean, covariance, weight in zip(means, covariances, mixture.weights_, strict=True):
        spread = matrix @ covariance @ matrix.T + 1e-9 * torch.eye(len(matrix))
        normal = torch.distributions.MultivariateNormal(matrix @ mean, spread)
        gain = torch.linalg.solve(spread, matrix @ covariance).T
        total.append(mean + (y - matrix @ mean) @ gain.T)
        log_w.append(normal.log_prob(y) + np.log(weight))
    weights = torch.stack(log_w, 1).softmax(1)
    return (weights.unsqueeze(2) * torch.stack(total, 1)).sum(1)


def cell(x, truth, labels, scored, judge):
    """PSNR / judge of one restored image a row."""
    found = judge.fidelity(x.round().clamp(0, TOP).long(), labels)
    return f"{psnr(x, truth, scored, TOP):.2f} / {found:.3f}"


def masked(name, splits, x, y, judge, mixture):
    """The baselines of one mask."""
    seen = named_mask(MASKS[name], splits.space)
    hidden, eye = ~seen, torch.eye(64, dtype=torch.float64)[seen.flatten()]
    mean = mixture_mean(mixture, x.flatten(1)[:, seen.flatten()].double(), eye).view(x.shape)
    restored = {
        "Telea": opencv(x, hidden, cv2.INPAINT_TELEA),
        "Navier-Stokes": opencv(x, hidden, cv2.INPAINT_NS),
        "biharmonic": biharmonic(x, hidden),
        "nearest neighbour": nearest(splits.train.x.long(), x * seen, lambda t: t * seen),
        "Gaussian mixture, 40": mean,
    }
    return {k: cell(torch.where(seen, x, v.double()), x, y, hidden, judge) for k, v in restored.items()}


def small(splits, x, y, judge, mixture):
    """The baselines of 4 x 4 to 8 x 8."""
    observation, everything = BlockMean(2), torch.ones(1, 8, 8, dtype=torch.bool)
    seen = observation.forward(x).double()
    unit = torch.eye(64, dtype=torch.float64).view(64, 1, 8, 8)
    matrix = observation.forward(unit).flatten(1).T
    bicubic = [np.asarray(Image.fromarray(i[0].float().numpy()).resize((8, 8), Image.Resampling.BICUBIC)) for i in seen]
    restored = {
        "bicubic": torch.from_numpy(np.stack(bicubic)[:, None]),
        "nearest neighbour": nearest(splits.train.x.long(), seen, observation.forward),
        "Gaussian mixture, 40": mixture_mean(mixture, seen.flatten(1), matrix).view(x.shape),
    }
    return {k: cell(v.double(), x, y, everything, judge) for k, v in restored.items()}


def of_run(path, limit, draws):
    """The cells of one run, and what goes with them."""
    cells, notes = {}, []
    for name, mask in {**MASKS, "4x4 to 8x8": None}.items():
        how = {"data": "digits", "limit": limit, "n": 4, "draws": draws, "device": "cpu"}
        answer = pc.upscale(path, factor=2, **how) if mask is None else pc.inpaint(path, mask=mask, **how)
        cells[name] = f"{answer['psnr_mean']:.2f} / {answer['judge_samples']:.3f}"
        bits = "-" if answer["bits_per_hidden"] is None else f"{answer['bits_per_hidden']:.3f}"
        notes.append(
            f"{path} · {name}: {answer['kind']}, {answer['method']}; judge on the mean {answer['judge_mean']:.3f}; "
            f"coverage {answer['coverage90']:.3f}; bits per hidden pixel {bits}; "
            f"consistency {answer['consistency']:g}; "
            f"{answer['diagnostics']} {answer['seconds']:.1f} s"
        )
    return cells, notes


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--limit", type=int, default=450)
    parser.add_argument("--draws", type=int, default=64)
    asked = parser.parse_args()
    splits = pc.open_data("digits")
    judge = Judge(splits)
    x, y = splits.test.x[: asked.limit].long(), splits.test.y[: asked.limit]
    mixture = GaussianMixture(40, reg_covar=5.0, random_state=0).fit(splits.train.x.flatten(1).double().numpy())
    columns = {name: masked(name, splits, x, y, judge, mixture) for name in MASKS}
    columns["4x4 to 8x8"] = small(splits, x, y, judge, mixture)
    notes = []
    for path in asked.runs:
        cells, said = of_run(path, asked.limit, asked.draws)
        notes += said
        for name, text in cells.items():
            columns[name][path] = text
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    print("| method | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for row in sorted(rows, key=lambda r: r in asked.runs):
        print(f"| {row} | " + " | ".join(columns[name].get(row, "–") for name in columns) + " |")
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
