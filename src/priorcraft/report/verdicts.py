"""Each family's strength and weakness, in the words of this comparison's own numbers."""

from collections.abc import Sequence
from typing import Any

Result = dict[str, Any]
SIGN = {"exact": "=", "lower bound": "≤", "none": ""}
THEORY = {
    "exact": "log p(x) is computed, not bounded: scores compare, sums and conditionals follow.",
    "approximate": "log p(x) is bounded from below through an encoder; the gap to the truth is not known from here.",
    "implicit": "a generator that is only known through its samples; nobody can say how probable an x is.",
}


def scored(result: Result) -> str:
    """The score with its sign: "= 2.05 bits/dim ± 0.01", or "none".

    >>> scored({"score": {"kind": "exact", "bits_per_dim": 2.05, "nats": 91.0, "standard_error": 0.012}})
    '= 2.050 ± 0.012'
    """
    score = result["score"]
    if score["kind"] == "none":
        return "none"
    value = score["bits_per_dim"] if score["bits_per_dim"] is not None else score["nats"]
    error = f" ± {score['standard_error']:.3f}" if score["standard_error"] is not None else ""
    return f"{SIGN[score['kind']]} {value:.3f}{error}"


def family_notes(results: Sequence[Result]) -> list[dict[str, str]]:
    """One note a family that took part: its name, what theory says, what this run measured for and against it."""
    families = [f for f in ("exact", "approximate", "implicit") if any(r["family"] == f for r in results)]
    return [note(f, [r for r in results if r["family"] == f], results) for f in families]


def note(family: str, members: Sequence[Result], results: Sequence[Result]) -> dict[str, str]:
    """Strength and weakness of one family by the numbers."""
    return {
        "family": family,
        "theory": THEORY[family],
        "strength": "; ".join(strengths(family, members, results)) + ".",
        "weakness": "; ".join(weaknesses(family, members, results)) + ".",
    }


def strengths(family: str, members: Sequence[Result], results: Sequence[Result]) -> list[str]:
    """What speaks for the family here."""
    found = []
    dense = [m for m in members if m["score"]["nats"] is not None]
    if dense:
        best = min(dense, key=lambda m: m["score"]["nats"])
        known = "known exactly" if family == "exact" else "an upper limit of the truth"
        found.append(f"best score {scored(best)} ({best['name']}), {known}")
    fastest = min(results, key=lambda r: r["sample_ms"])
    if fastest in members:
        found.append(f"fastest sampler of all: {fastest['name']}, {fastest['sample_ms']:.3g} ms a sample")
    faithful = [r for r in results if r["fidelity"] is not None]
    if faithful and (best := max(faithful, key=lambda r: r["fidelity"])) in members:
        found.append(f"highest class fidelity: {best['name']}, {best['fidelity']:.1%}")
    found += [f"{m['name']} is not distinguishable from real rows by the two-sample test" for m in members if same(m)]
    if family == "implicit" and members[0].get("sharpness"):
        found.append(f"sharpness {members[0]['sharpness']:.2f} of real images'")
    return found or ["nothing measured here"]


def weaknesses(family: str, members: Sequence[Result], results: Sequence[Result]) -> list[str]:
    """What speaks against the family here."""
    found = []
    if family == "implicit":
        found.append("no density: it cannot score, classify or be compared by likelihood")
    if family == "approximate":
        found.append("its score is a limit: the model may be better than it says, and nobody can tell by how much")
    slowest = max(results, key=lambda r: r["sample_ms"])
    if slowest in members and len(results) > 1:
        fastest = min(r["sample_ms"] for r in results)
        found.append(
            f"slowest sampler of all: {slowest['name']}, {slowest['sample_ms']:.3g} ms a sample, "
            f"{slowest['sample_ms'] / max(fastest, 1e-9):.0f} times the fastest"
        )
    told = [m["name"] for m in members if m["two_sample"]["verdict"] == "distinguishable"]
    if told:
        found.append(f"samples of {', '.join(told)} can be told from real rows")
    copied = [m["name"] for m in members if m["copies"]["verdict"] == "copies"]
    if copied:
        found.append(f"{', '.join(copied)} repeats training rows")
    return found or ["nothing measured here"]


def same(result: Result) -> bool:
    """Whether samples could not be told from real rows."""
    return result["two_sample"]["verdict"] == "not distinguishable"
