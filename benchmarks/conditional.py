"""Are a GAN's digits of the class that was asked for, seed after seed, and are they as diverse as real ones?

    python benchmarks/conditional.py --seeds 10 --steps 600

scikit-learn's digits, 8 x 8. A seed fails if a support vector machine, fitted to real digits, takes fewer than 97 % of
2,000 conditional samples for the class asked for. Beside it: the two-sample test, and how diverse the samples are
(`detectors.diversity`, 1 for real rows against real rows).
"""

import argparse
import tempfile
import time

import torch

import priorcraft as pc
from implicit import interval
from judge import samples
from priorcraft.datasets import open_data
from priorcraft.implicit.detectors import diversity
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.two_sample import TwoSampleTest

SAMPLES, FLOOR = 2000, 0.97


def main() -> None:
    """Prints a row a seed, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--model", default="gan")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of the model")
    options = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in options.set)
    digits = open_data("digits")
    judge, tell = Judge(digits), TwoSampleTest(digits)
    low, high = tell.test(digits.valid.x, power=False).floor
    print(
        f"judge {judge.accuracy:.4f} on real test digits; two-sample AUC of real against real {low:.3f} to {high:.3f}"
    )
    print("| seed | class kept | two-sample AUC | diversity | CPU s |\n|---|---|---|---|---|")
    kept = []
    for seed in range(options.first, options.first + options.seeds):
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            run = pc.fit(digits, options.model, out=folder + "/run", steps=options.steps, seed=seed, settings=settings)
            seconds = time.process_time() - begin
            x, given = samples(run, SAMPLES)
        assert given is not None
        kept.append(judge.fidelity(x, given))
        auc = tell.test(x[torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(seed))]).auc
        spread = diversity(x[: len(digits.train)], digits.train.x)
        print(f"| {seed} | {kept[-1]:.4f} | {auc:.3f} | {spread:.2f} | {seconds:.0f} |", flush=True)
    failures = sum(share < FLOOR for share in kept)
    low, high = interval(failures, len(kept))
    print(f"class kept: mean {sum(kept) / len(kept):.4f}, least {min(kept):.4f}")
    print(f"failures {failures}/{len(kept)} (95 % interval {low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
