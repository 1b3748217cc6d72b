"""The first evening: how long `demo` and `--help` take, how much memory, and how good the digits are.

    python benchmarks/demo.py [--picture docs/demo.png]

Prints each figure beside its limit, or beside the baselines of the same run; draws samples of one model of each family.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from priorcraft.answer import Kind

COMMAND = [sys.executable, "-m", "priorcraft"]


def timed(*words: str) -> tuple[float, str]:
    """Wall seconds and standard output of a whole process."""
    start = time.perf_counter()
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


def scored(model: dict) -> str:
    """The score with its sign."""
    kind, bits = Kind(model["score"]["kind"]), model["score"]["bits_per_dim"]
    return kind.mark(bits, ".3f") + (" bits/dim" if bits is not None else "")


def titles(models: list[dict]) -> dict[str, str]:
    """One model of each family, by name, and what stands above its samples."""
    shown = [model for model in models if model["name"] in ("autoregressive", "vae", "gan")]
    return {model["name"]: f"{model['name']}, {scored(model).replace('none', 'no density')}" for model in shown}


def picture(demo: Path, out: Path, said: dict[str, str]) -> None:
    """Samples of each family beside test rows, a column a class, drawn in this process after the demo was timed."""
    import torch
    from matplotlib.figure import Figure

    import priorcraft as pc
    from priorcraft.runtime import keyed

    digits, y = pc.open_data("digits"), torch.arange(10).repeat(4)
    first = [(digits.test.y == c).nonzero()[row, 0] for row in range(4) for c in range(10)]
    images = {"real test rows": digits.test.x[torch.stack(first)]}
    for name in said:
        images[said[name]] = pc.load(demo / name).model.sample(40, given=y, generator=keyed(0, "picture"))
    figure = Figure(figsize=(8, 4), layout="constrained")
    for axes, (title, x) in zip(figure.subplots(2, 2).flat, images.items(), strict=True):
        grid = x.view(4, 10, 8, 8).float()
        padded = torch.nn.functional.pad(grid, (1, 1, 1, 1), value=8.0).permute(0, 2, 1, 3).reshape(40, 100)
        axes.imshow(padded, cmap="Greys", vmin=0, vmax=16, interpolation="nearest")
        axes.set_title(title, fontsize=10, loc="left")
        axes.axis("off")
    figure.savefig(out, dpi=100)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    helps = sorted(timed("--help")[0] for _ in range(5))
    bare = sorted(_bare() for _ in range(5))
    print(f"--help: {helps[2]:.3f} s, median of 5 ({helps[2] / bare[2]:.1f} times an empty Python process)")
    with tempfile.TemporaryDirectory() as folder:
        seconds, out = timed("demo", "--out", f"{folder}/demo", "--quiet", "--json")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        answer = json.loads(out)
        if asked.picture:
            picture(Path(folder) / "demo", asked.picture, titles(answer["models"]))
    print(f"demo: {seconds:.1f} s whole process, peak {peak:.2f} GiB")
    base = answer["baselines"]["naive Bayes"]
    for name, bits in answer["baselines"].items():
        print(f"  {name:18} = {bits:.3f} bits/dim")
    for model in answer["models"]:
        score, fidelity, bits = model["score"], model["fidelity"], scored(model)
        ratio = "" if score["bits_per_dim"] is None else f"({score['bits_per_dim'] / base:.3f} of naive Bayes)"
        auc = model["two_sample"]["auc"]
        print(f"  {model['name']:18} {bits} {ratio} fidelity {fidelity:.3f}, two-sample AUC {auc:.3f}")


def _bare() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
