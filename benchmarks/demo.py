"""The first evening: how long `demo` and `--help` take, how much memory, and how good the digits are.

    python benchmarks/demo.py

Prints each figure beside its limit, or beside the baselines of the same run.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time

COMMAND = [sys.executable, "-m", "priorcraft"]


def timed(*words: str) -> tuple[float, str]:
    """Wall seconds and standard output of a whole process."""
    start = time.perf_counter()
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


def main() -> None:
    """Prints the table."""
    helps = sorted(timed("--help")[0] for _ in range(5))
    bare = sorted(_bare() for _ in range(5))
    print(f"--help: {helps[2]:.3f} s, median of 5 ({helps[2] / bare[2]:.1f} times an empty Python process)")
    with tempfile.TemporaryDirectory() as folder:
        seconds, out = timed("demo", "--out", f"{folder}/demo", "--quiet", "--json")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    answer = json.loads(out)
    print(f"demo: {seconds:.1f} s whole process, peak {peak:.2f} GiB")
    base = answer["baselines"]["naive Bayes"]
    for name, bits in answer["baselines"].items():
        print(f"  {name:18} = {bits:.3f} bits/dim")
    for model in answer["models"]:
        score, fidelity = model["score"], model["fidelity"]
        sign = {"exact": "=", "lower bound": "≤", "none": ""}[score["kind"]]
        bits = "none" if score["bits_per_dim"] is None else f"{sign} {score['bits_per_dim']:.3f} bits/dim"
        ratio = "" if score["bits_per_dim"] is None else f"({score['bits_per_dim'] / base:.3f} of naive Bayes)"
        auc = model["two_sample"]["auc"]
        print(f"  {model['name']:18} {bits} {ratio} fidelity {fidelity:.3f}, two-sample AUC {auc:.3f}")


def _bare() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
