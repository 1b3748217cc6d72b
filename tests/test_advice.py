"""A comparison ends with the model to take for each purpose, and what was measured of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from priorcraft.metrics import copies, two_sample
from priorcraft.report.advice import advice, in_words

SAME, TOLD, REPEATS = two_sample.Verdict.SAME, two_sample.Verdict.DIFFERENT, two_sample.Verdict.REPEATS
FAIR, COPIES = (next(v for v in copies.Verdict if (v is copies.Verdict.COPIES) == c) for c in (False, True))


def model(name, *, psnr=(), nats=None, family="exact", auc: float | None = 0.9, verdict=TOLD, copied=FAIR) -> Any:
    return SimpleNamespace(
        name=name,
        family=family,
        score=SimpleNamespace(nats=nats, __str__=lambda self: "= 1"),
        completions=[SimpleNamespace(psnr=value) for value in psnr],
        two_sample=SimpleNamespace(auc=auc, verdict=verdict),
        copies=SimpleNamespace(verdict=copied),
    )


def classifier(name, kind, log_loss) -> Any:
    return SimpleNamespace(name=name, kind=kind, log_loss=log_loss, accuracy=0.9, n=10)


def chosen(models, contest=None):
    return {one.purpose: one.model for one in advice(models, contest)}


@pytest.mark.parametrize(
    ("models", "filling"),
    [
        ([model("a", psnr=(12.0, 14.0)), model("b", psnr=(15.0, 12.0))], "b"),
        ([model("a", psnr=(12.0, 14.0)), model("b", psnr=(19.0, None))], "a"),
        ([model("a", nats=3.0), model("b", nats=2.0), model("c", nats=1.0, family="approximate")], "b"),
        ([model("c", nats=1.0, family="approximate")], None),
    ],
)
def test_filling_in_is_judged_by_hidden_pixels_or_by_an_exact_score(models, filling):
    assert chosen(models)["filling in"] == filling


def test_new_samples_are_those_that_are_least_told_and_no_copies():
    models = [
        model("a", auc=0.55),
        model("b", auc=0.6, verdict=SAME),
        model("c", auc=0.5, copied=COPIES),
        model("d", auc=0.1, verdict=REPEATS),
        model("e", auc=None),
    ]
    assert chosen(models)["new samples"] == "b"
    assert chosen(models[:1] + models[2:])["new samples"] == "a"
    assert chosen(models[2:])["new samples"] is None


def test_the_best_density_stands_beside_a_better_classifier_of_another_kind():
    contest: Any = SimpleNamespace(
        classifiers=[classifier("nb", "exact", 0.5), classifier("svm", "discriminative", 0.1)]
    )
    found = advice([model("a")], contest)
    assert found[-1].model == "svm"
    assert "of the densities nb, log loss 0.500 nats" in in_words(found)
    contest.classifiers[1].log_loss = None
    assert chosen([model("a")], contest)["classifying"] == "nb"
