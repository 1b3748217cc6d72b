"""Images of one domain as images of another: four cases, each beside what it should be held against.

    OMP_NUM_THREADS=1 PRIORCRAFT_DATA=folder-with-mnist.npz python benchmarks/translate.py digits truth shoes colour

digits   MNIST to scikit-learn's digits, without pairs: is the label kept, under a judge fitted to real digits?
truth    MNIST to its negative, turned by 90 degrees, other images in each domain: error beside the paired model's
shoes    edges to shoes, in pairs: class under a judge fitted to real shoes, and a two-sample test
colour   grey to colour, in pairs, patches of scikit-image's photographs: error beside the grey patch, two-sample test

Labels are read by the judges alone. A contact sheet of each case is written to --out.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import priorcraft as pc
from priorcraft import runtime
from priorcraft.datasets import open_data
from priorcraft.datasets.pairs import open_pairs
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.two_sample import TwoSampleTest
from priorcraft.run.domains import open_domains

SHOES = (5, 7, 9)
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
PATCH, STRIDE = 16, 12


def fitted(data, form, name, options, **settings):
    """A run of the GAN on such data, and its CPU seconds."""
    begin = time.process_time()
    given = {key: str(value) for key, value in settings.items()}
    how = {form: True, "overwrite": True, "settings": given, **options.budget}
    run = pc.fit(data, "gan", out=options.out / name, **how)
    print(f"  {run.steps} steps, {time.process_time() - begin:.0f} CPU s {' '.join(run.notes)}", flush=True)
    return run


def answers(run, a, n=1):
    """n answers to each of a."""
    return pc.translate(run, a, n, seed=1).b


def sheet(run, a, options, name):
    """Writes the contact sheet of a few images."""
    pc.translate(run, a[:12], 7, seed=1).save(options.out / f"{name}.png", overwrite=True)


def two_samples(splits, samples):
    """The verdict of the two-sample test beside its floor."""
    found = TwoSampleTest(splits).test(samples)
    low, high = found.floor
    return f"two-sample AUC {found.auc:.3f} (real against real {low:.3f} to {high:.3f}): {found.verdict.value}"


def digits(options):
    """Unpaired, other hand, other scanner."""
    mnist, real = open_data("mnist", limit=10_000), open_data("digits")
    data = {"a_train": mnist.train.x.numpy(), "b_train": real.train.x.numpy(), "levels_a": 256, "levels_b": 17}
    data |= {"b_valid": real.valid.x.numpy(), "b_test": real.test.x.numpy()}
    run = fitted(open_domains(data), "domains", "digits", options)
    a, judge = mnist.test.x[:2000], Judge(real)
    b = answers(run, a)[:, 0]
    low, high = judge.interval(b, mnist.test.y[:2000])
    print(
        f"unpaired MNIST to digits: label kept {judge.fidelity(b, mnist.test.y[:2000]):.4f} ({low:.3f} to {high:.3f})"
    )
    print(f"  judge on real digits {judge.accuracy:.4f}; {two_samples(real, b)}")
    sheet(run, a, options, "digits")


def truth(options):
    """Unpaired, but the truth is known: the error beside that of a model that had the pairs."""
    mnist = open_data("mnist", limit=4000)
    x = mnist.train.x
    turned = 255 - torch.rot90(x, 1, (-2, -1))
    apart = {"a": x[:2000].numpy(), "b": turned[2000:].numpy(), "levels": 256}
    pairs = {"a": x[:2000].numpy(), "b": turned[:2000].numpy(), "levels": 256}
    a = mnist.test.x[:500]
    b = (255 - torch.rot90(a, 1, (-2, -1))).long()
    error = {}
    for name, form, data in (("unpaired", "domains", open_domains(apart)), ("paired", "pairs", open_pairs(pairs))):
        run = fitted(data, form, f"truth-{name}", options)
        error[name] = float((answers(run, a)[:, 0].long() - b).abs().float().mean())
        sheet(run, a, options, f"truth-{name}")
    ratio = error["unpaired"] / max(error["paired"], 1e-9)
    print(f"known truth: unpaired {error['unpaired']:.2f} levels, paired {error['paired']:.2f}, ratio {ratio:.2f}")


def shoes(options):
    """Edges of sandals, sneakers and boots to the shoes."""
    from skimage.feature import canny

    fashion, parts = open_data("fashion-mnist"), {}
    for part in ("train", "valid", "test"):
        rows = fashion.rows(part)
        keep = torch.isin(rows.y, torch.tensor(SHOES))
        b = rows.x[keep][:, 0].numpy()
        a = np.stack([canny(image / 255, sigma=1.0) for image in b]).astype(np.uint8) * 255
        parts |= {f"a_{part}": a, f"b_{part}": b, f"y_{part}": rows.y[keep].numpy()}
    real = open_data(
        {key.replace("b_", "x_"): value for key, value in parts.items() if key[0] != "a"} | {"levels": 256}
    )
    pairs = open_pairs({key: value for key, value in parts.items() if key[0] != "y"} | {"levels": 256})
    run = fitted(pairs, "pairs", "shoes", options)
    a, y = pairs.test.partner[:1000], real.test.y[:1000]
    b, judge = answers(run, a)[:, 0], Judge(real)
    print(f"edges to shoes: class kept {judge.fidelity(b, y):.4f}, judge on real shoes {judge.accuracy:.4f}")
    print(f"  {two_samples(real, b)}")
    sheet(run, a, options, "shoes")


def colour(options):
    """Grey patches of photographs to colour; the test patches are the lower quarter of each photograph."""
    from skimage import data

    parts = {f"{side}_{part}": [] for side in "ab" for part in ("train", "valid", "test")}
    for name in PHOTOGRAPHS:
        photo = getattr(data, name)()[..., :3][::2, ::2]
        for top in range(0, photo.shape[0] - PATCH, STRIDE):
            share = top / photo.shape[0]
            part = "test" if share > 0.75 else "valid" if share > 0.65 else "train"
            for left in range(0, photo.shape[1] - PATCH, STRIDE):
                patch = photo[top : top + PATCH, left : left + PATCH]
                parts[f"b_{part}"].append(patch.transpose(2, 0, 1))
                parts[f"a_{part}"].append((patch @ [0.299, 0.587, 0.114]).round().astype(np.uint8)[None])
    parts = {name: np.stack(rows) for name, rows in parts.items()} | {"levels": 256}
    pairs = open_pairs(parts)
    real = open_data({name.replace("b_", "x_"): rows for name, rows in parts.items() if name[0] != "a"})
    run = fitted(pairs, "pairs", "colour", options)
    a, b = pairs.test.partner, pairs.test.x.float()
    found = answers(run, a, 4).float()
    error = {"one answer": found[:, 0], "mean of four": found.mean(1), "grey as it is": a.float().expand_as(b)}
    words = ", ".join(f"{name} {float((x - b).abs().mean()):.2f}" for name, x in error.items())
    print(f"grey to colour, {len(pairs.train)} patches: mean absolute error in levels: {words}")
    print(f"  {two_samples(real, found[:, 0].long())}")
    sheet(run, a[torch.randperm(len(a), generator=runtime.keyed("sheet"))], options, "colour")


CASES = {case.__name__: case for case in (digits, truth, shoes, colour)}


def main():
    """Plays the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), choices=[*CASES, []])
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, default=Path("translations"))
    options = parser.parse_args()
    options.out.mkdir(exist_ok=True)
    options.budget = {"steps": options.steps} if options.steps else {"minutes": options.minutes}
    for name in options.cases:
        CASES[name](options)


if __name__ == "__main__":
    main()
