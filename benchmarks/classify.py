"""Digits classified by Bayes' theorem beside discriminative classifiers; how much each learns from how many labels.

    OMP_NUM_THREADS=1 python benchmarks/classify.py [--curve FILE.png] [--unusual MNIST.npz]

Prints accuracy with Wilson's interval, log loss and calibration error for all labels, the mean over four draws of ten
labels a class with the rest unlabelled, the learning curve (Ng & Jordan 2002), and the AUROC of three scores of unusual
rows. 450 test rows.
"""

import argparse
import tempfile
from pathlib import Path

import priorcraft as pc
from priorcraft import runtime
from priorcraft.classifiers.curve import accuracy, by_name, hidden
from priorcraft.classifiers.discriminative import METHODS
from priorcraft.datasets import open_data
from priorcraft.report.classifiers import accuracy_picture
from priorcraft.run.contrast import contrast, discriminative, generative

GENERATIVE = ("naive-bayes", "ppca", "kernel")
PER_CLASS = (2, 5, 10, 20, 50)
DRAWS = 4


def all_labels(folder):
    """Every kind of classifier with all labels."""
    for name in GENERATIVE:
        run = pc.fit("digits", name, out=f"{folder}/{name}", steps=20, device="cpu")
        found = pc.classify(run, beside=METHODS if name == GENERATIVE[-1] else ())
        for title, each in [(f"Bayes, {name}", found), *((other.name, other) for other in found.beside)]:
            low, high = each.interval
            print(
                f"{title:<18} accuracy {each.accuracy:.4f} ({low:.3f} to {high:.3f})  "
                f"log loss {each.log_loss:.4f}  calibration error {each.calibration_error:.4f}"
            )


def few_labels(digits):
    """Ten labels a class; only the generative classifier can use the other rows."""
    labels = [hidden(digits.train.y, 10, generator=runtime.keyed("few", r)) for r in range(DRAWS)]
    fits = {
        "Bayes, kernel, with the unlabelled rows": generative(digits, "kernel", unlabelled=True),
        "Bayes, kernel, labelled rows alone": generative(digits, "kernel"),
        "svm": discriminative(digits, "svm"),
        "logistic": discriminative(digits, "logistic"),
    }
    for name, fit in fits.items():
        found = [accuracy(fit(digits.train.x, y), digits.test.x, digits.test.y) for y in labels]
        print(f"{name:<42} {sum(found) / DRAWS:.4f} ({min(found):.3f} to {max(found):.3f})")


def curves(digits, out):
    """The learning curve of both kinds, printed and drawn."""
    rows = contrast(digits, densities=GENERATIVE, per_class=PER_CLASS)
    for name, own in by_name(rows).items():
        print(f"{name:<18}" + "  ".join(f"{learned.per_class}: {learned.accuracy:.3f}" for learned in own))
    Path(out).write_bytes(accuracy_picture(rows))


def unusual(folder, mnist):
    """Fashion-MNIST against MNIST: the raw likelihood fails, the ratio does not."""
    run = pc.fit("fashion-mnist", "ppca", out=f"{folder}/fashion", steps=1, settings={"latent": "20"}, device="cpu")
    for name, area in pc.unusual(run, against=mnist).auroc.to_dict().items():
        print(f"AUROC of {name:<12} {area:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--curve", default=None)
    parser.add_argument("--unusual", default=None)
    asked, data = parser.parse_args(), open_data("digits")
    with tempfile.TemporaryDirectory() as place:
        all_labels(place)
        few_labels(data)
        if asked.curve:
            curves(data, asked.curve)
        if asked.unusual:
            unusual(place, asked.unusual)
