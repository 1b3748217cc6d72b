"""Each family's strength and weakness, in the words of this comparison's own numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from priorcraft.metrics import copies, two_sample
from priorcraft.report.compared import Compared

THEORY = {
    "exact": "log p(x) is computed, not bounded: scores compare, sums and conditionals follow.",
    "approximate": "log p(x) is bounded from below through an encoder; the gap to the truth is not known from here.",
    "implicit": "a generator that is only known through its samples; nobody can say how probable an x is.",
}


@dataclass(frozen=True)
class FamilyNote:
    """What one family is good for, as measured.

    Args:
        family: exact, approximate or implicit.
        theory: what holds for all its members.
        strength, weakness: what this comparison measured for and against it.
    """

    family: str
    theory: str
    strength: str
    weakness: str


def family_notes(results: Sequence[Compared]) -> list[FamilyNote]:
    """One note a family that took part."""
    families = [f for f in ("exact", "approximate", "implicit") if any(r.family == f for r in results)]
    return [note(f, [r for r in results if r.family == f], results) for f in families]


def note(family: str, members: Sequence[Compared], results: Sequence[Compared]) -> FamilyNote:
    """Strength and weakness of one family by the numbers."""
    strength = "; ".join(strengths(family, members, results)) + "."
    weakness = "; ".join(weaknesses(family, members, results)) + "."
    return FamilyNote(family, THEORY[family], strength, weakness)


def strengths(family: str, members: Sequence[Compared], results: Sequence[Compared]) -> list[str]:
    """What speaks for the family here."""
    found = []
    dense = [m for m in members if m.score.nats is not None]
    if dense:
        best = min(dense, key=lambda m: m.score.nats or 0.0)
        known = "known exactly" if family == "exact" else "an upper limit of the truth"
        found.append(f"best score {best.score} ({best.name}), {known}")
    fastest = min(results, key=lambda r: r.sample_ms)
    if fastest in members:
        found.append(f"fastest sampler of all: {fastest.name}, {fastest.sample_ms:.3g} ms a sample")
    faithful = [r for r in results if r.fidelity is not None]
    if faithful and (best := max(faithful, key=lambda r: r.fidelity or 0.0)) in members:
        found.append(f"highest class fidelity: {best.name}, {best.fidelity:.1%}")
    same = [m.name for m in members if m.two_sample.verdict is two_sample.Verdict.SAME]
    found += [f"{name} is not distinguishable from real rows by the two-sample test" for name in same]
    if family == "implicit" and members[0].sharpness:
        found.append(f"sharpness {members[0].sharpness:.2f} of real images'")
    return found or ["nothing measured here"]


def weaknesses(family: str, members: Sequence[Compared], results: Sequence[Compared]) -> list[str]:
    """What speaks against the family here."""
    found = []
    if family == "implicit":
        found.append("no density: it cannot score, classify or be compared by likelihood")
    if family == "approximate":
        found.append("its score is a limit: the model may be better than it says, and nobody can tell by how much")
    slowest = max(results, key=lambda r: r.sample_ms)
    if slowest in members and len(results) > 1:
        fastest = min(r.sample_ms for r in results)
        found.append(
            f"slowest sampler of all: {slowest.name}, {slowest.sample_ms:.3g} ms a sample, "
            f"{slowest.sample_ms / max(fastest, 1e-9):.0f} times the fastest"
        )
    told = [m.name for m in members if m.two_sample.verdict is two_sample.Verdict.DIFFERENT]
    if told:
        found.append(f"samples of {', '.join(told)} can be told from real rows")
    near = [m.name for m in members if m.two_sample.verdict is two_sample.Verdict.REPEATS]
    if near:
        found.append(f"samples of {', '.join(near)} repeat test rows")
    copied = [m.name for m in members if m.copies.verdict is copies.Verdict.COPIES]
    if copied:
        found.append(f"{', '.join(copied)} repeats training rows")
    return found or ["nothing measured here"]
