"""Classification by Bayes' theorem: laws of the posterior, of what calibrates it, and the figures on digits."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import priorcraft as pc
from laws.table import APPROXIMATE, BITS, every_image, rows, tiny
from priorcraft import probability, runtime
from priorcraft.classifiers.calibrated import confidence_at_risk, fitted_temperature, tempered
from priorcraft.classifiers.curve import hidden, learning_curve
from priorcraft.classifiers.deformed import Deformed
from priorcraft.classifiers.discriminative import METHODS, Discriminative
from priorcraft.classifiers.generative import GenerativeClassifier, checked_prior, drawn_labels
from priorcraft.classifiers.shift import estimated_prior, reweighted
from priorcraft.cli import main
from priorcraft.core import UNLABELLED, Space
from priorcraft.datasets import Rows, open_data
from priorcraft.errors import DataError, NoDensity, UsageError
from priorcraft.explicit.exact.gaussian_cells import log_kernels
from priorcraft.explicit.exact.kernel import KernelDensity
from priorcraft.metrics.calibration import calibration_error, reliability
from priorcraft.metrics.unusual import auroc, mutated, ratio, typicality
from priorcraft.report.classifiers import accuracy_picture
from priorcraft.run import load
from priorcraft.run.contest import contest, labelled
from priorcraft.run.contrast import contrast


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small exact model of digits, fitted with labels, and the folder that it lives in."""
    folder = tmp_path_factory.mktemp("classify")
    pc.fit("digits", "ppca", out=folder / "ppca", steps=2, device="cpu")
    return folder / "ppca"


def few_labels(n):
    """Digits of which n labels a class are known."""
    digits = open_data("digits")
    return digits, hidden(digits.train.y, n, generator=runtime.keyed("few", n))


def test_log_posterior_and_evidence_make_up_the_joint(run, tmp_path):
    pc.classify(run).save(tmp_path / "o.npz")
    answer, model = np.load(tmp_path / "o.npz"), pc.load(run).model
    x = open_data("digits").test.x
    with torch.no_grad():
        joint, evidence = model.log_joint(x).numpy(), model.log_prob(x).numpy()
    assert np.allclose(answer["log_posterior"] + answer["log_evidence"][:, None], joint, atol=1e-3)
    assert np.allclose(answer["log_evidence"], evidence, atol=1e-3)
    assert np.allclose(np.exp(answer["log_posterior"]).sum(1), 1, atol=1e-4)
    assert (answer["prediction"] == joint.argmax(1)).all()


def test_a_bound_is_marked_as_an_approximation_and_an_implicit_model_is_refused():
    x, _ = rows(BITS)
    vague = GenerativeClassifier(tiny(APPROXIMATE[0]), samples=4)
    assert vague.kind == "lower bound"
    assert torch.allclose(vague.log_posterior(x).exp().sum(1), torch.ones(60, dtype=torch.float64))
    assert torch.equal(vague.log_posterior(x), vague.log_posterior(x))
    with pytest.raises(NoDensity, match="has no density"):
        GenerativeClassifier(tiny("gan"))
    with pytest.raises(UsageError, match="without labels"):
        GenerativeClassifier(tiny("ppca", labels=False))


def test_another_prior_is_bayes_theorem_once_more():
    generator = runtime.keyed("prior")
    likelihood, old, new = (torch.randn(s, generator=generator).double() for s in ((50, 4), (4,), (4,)))
    old, new = old.log_softmax(0), new.log_softmax(0)
    posterior, _ = probability.posterior(old, likelihood)
    assert torch.allclose(reweighted(posterior, old, new), probability.posterior(new, likelihood)[0])


def test_em_finds_the_prior_of_unlabelled_rows():
    """20,000 rows of two overlapping normals: the estimate lies within 4 standard errors (about 0.02)."""
    c = (runtime.uniform((20_000,), generator=runtime.keyed("c"), like=torch.zeros(1)) < 0.85).long()
    x = torch.randn(20_000, generator=runtime.keyed("x")) + 2.0 * c
    likelihood = torch.stack([-0.5 * x.square(), -0.5 * (x - 2).square()], 1)
    old = torch.tensor([0.8, 0.2]).log()
    found = estimated_prior(probability.posterior(old, likelihood)[0], old).exp()
    assert abs(float(found[1]) - 0.85) < 0.02
    naive = (probability.posterior(old, likelihood)[0].argmax(1) == 1).double().mean()
    assert abs(float(found[1]) - 0.85) < abs(float(naive) - 0.85)


@pytest.mark.parametrize(
    ("prior", "match"),
    [([0.5, 0.6], "must hold 10"), ([0.2] * 10, "sum to 1"), ("flat", "estimate, uniform"), ({"cat": 1.0}, "'cat'")],
)
def test_a_prior_that_is_none_is_refused(run, prior, match):
    with pytest.raises(UsageError, match=match):
        pc.classify(run, prior=prior)


def test_a_prior_of_one_class_leaves_no_other_answer(run):
    digits = open_data("digits")
    for calibrate in (False, True):
        answer = pc.classify(run, prior={"3": 1.0}, calibrate=calibrate)
        assert answer.accuracy == pytest.approx(float((digits.test.y == 3).double().mean()))
    assert answer.log_loss is None  # infinite: the other classes were ruled out


def test_temperature_undoes_a_known_overconfidence():
    logits = 2 * torch.randn(4000, 3, generator=runtime.keyed("t")).double()
    y = runtime.categorical(logits, generator=runtime.keyed("y"))
    assert fitted_temperature((logits * 3).log_softmax(1), y) == pytest.approx(3, rel=0.15)
    sure = (logits * 3).log_softmax(1)
    cool = tempered(sure, fitted_temperature(sure, y))
    assert calibration_error(cool, y) < 0.5 * calibration_error(sure, y)
    assert torch.equal(cool.argmax(1), sure.argmax(1))


def test_abstention_keeps_the_chosen_risk_where_it_was_chosen():
    logits = torch.randn(2000, 4, generator=runtime.keyed("a")).double()
    y = runtime.categorical(logits, generator=runtime.keyed("b"))
    log_posterior = logits.log_softmax(1)
    threshold = confidence_at_risk(log_posterior, y, 0.25)
    kept = log_posterior.max(1).values.exp() >= threshold
    assert 0 < int(kept.sum()) < 2000
    assert float((log_posterior.argmax(1) != y)[kept].double().mean()) <= 0.25
    with pytest.raises(UsageError, match="risk must lie"):
        confidence_at_risk(log_posterior, y, 1.5)


def test_reliability_is_the_calibration_error_taken_apart():
    logits = torch.randn(300, 3, generator=runtime.keyed("r")).double().log_softmax(1)
    y = torch.arange(300) % 3
    bins = reliability(logits, y, bins=15)
    gap = sum(abs(b.accuracy - b.confidence) * b.n for b in bins) / 300
    assert gap == pytest.approx(calibration_error(logits, y, bins=15))


def test_a_mixture_over_shifts_sums_to_one_and_does_not_mind_them():
    inner = tiny("naive-bayes")
    model, x = Deformed(inner, shift=1, shear=1).double(), every_image()
    assert len(model.moves) == 7
    assert abs(float(model.log_prob(x).exp().sum()) - 1) < 1e-6
    likelihood = torch.stack([inner.log_prob(x.roll(s, -1)) for s in (-1, 0, 1)])
    assert (
        float((Deformed(inner, shift=1, shear=0).log_prob(x) - (likelihood.logsumexp(0) - math.log(5))).min()) > -1e-9
    )
    drawn = model.sample(4000, generator=runtime.keyed(0))
    entropy = -float((model.log_prob(x).exp() * model.log_prob(x)).sum())
    assert -float(model.log_prob(drawn).mean()) == pytest.approx(entropy, abs=0.1)
    with pytest.raises(UsageError, match="for images"):
        Deformed(tiny("ppca", space=Space((2,))))


def test_kernels_on_integers_sum_to_one_far_outside_the_range_too():
    every = torch.cartesian_prod(torch.arange(5), torch.arange(5)).double()
    root = torch.tensor([[0.4, 0.0], [0.3, 0.9]]).double()
    centres = torch.tensor([[-6.0, 2.2], [2.0, 9.0], [1.5, 1.5]]).double()
    assert torch.allclose(log_kernels(every, centres, root, torch.tensor([4, 4])).exp().sum(0), torch.ones(3).double())
    far = log_kernels(torch.tensor([[4.0, 0.0]]).double(), centres, root, torch.tensor([4, 4]))
    assert bool(torch.isfinite(far).all())


@pytest.mark.slow
def test_digits_with_ten_labels_a_class_and_the_rest_unlabelled():
    """At least 0.95 on 200 test rows, and more than the same kernels learn from the labelled rows alone."""
    digits, y = few_labels(10)
    found = []
    for keep in (torch.ones(1000, dtype=torch.bool), y != UNLABELLED):
        model = KernelDensity(digits.space, digits.context, rows=int(keep.sum()))
        model.initialise(digits.train.x[keep], y[keep], generator=runtime.keyed(0))
        model.update(digits.train.x[keep], y[keep])
        log_posterior = GenerativeClassifier(model).log_posterior(digits.test.x[:200])
        found.append(float((log_posterior.argmax(1) == digits.test.y[:200]).double().mean()))
    assert found[0] >= 0.95
    assert found[0] > found[1]


@pytest.mark.parametrize("method", METHODS)
def test_discriminative_classifiers_share_the_contract(method):
    digits, y = few_labels(20)
    classifier = Discriminative(method, digits.space, 11, seed=0).fit(digits.train.x, y)
    log_posterior = classifier.log_posterior(digits.test.x)
    assert torch.allclose(log_posterior.exp().sum(1), torch.ones(450, dtype=torch.float64))
    assert bool(torch.isfinite(log_posterior).all())
    assert float((log_posterior.argmax(1) == digits.test.y).double().mean()) > 0.75


def test_labels_that_cannot_teach_a_discriminative_classifier_are_refused():
    digits, y = few_labels(1)
    with pytest.raises(DataError, match="at least 2 labelled rows"):
        Discriminative("svm", digits.space, 10).fit(digits.train.x, y)
    with pytest.raises(DataError, match="two classes"):
        Discriminative("logistic", digits.space, 10).fit(digits.train.x, torch.where(y == 3, 3, -1))
    with pytest.raises(UsageError, match="did you mean 'logistic'"):
        Discriminative("logistics", digits.space, 10)


def test_learning_curves_see_the_same_labels():
    digits, seen = open_data("digits"), []

    def fit(x, y):
        seen.append(y)
        return Discriminative("logistic", digits.space, 10).fit(x, y)

    curve = learning_curve(
        {"a": fit, "b": fit},
        (digits.train.x, digits.train.y),
        (digits.test.x, digits.test.y),
        per_class=(2, 30),
        repeats=1,
    )
    assert torch.equal(seen[0], seen[1])
    assert [int((y >= 0).sum()) for y in seen] == [20, 20, 300, 300]
    assert curve[0].accuracy == curve[1].accuracy < curve[2].accuracy


def test_command_line_prints_the_keys_and_refuses_with_a_sentence(run, tmp_path, capsys):
    main(
        [
            "classify",
            str(run),
            "--json",
            "--calibrate",
            "--risk",
            "0.05",
            "--prior",
            "uniform",
            "--plot",
            str(tmp_path / "p.png"),
        ]
    )
    answer = json.loads(capsys.readouterr().out)
    assert {"accuracy", "interval", "log_loss", "calibration_error", "n", "kind"} <= set(answer)
    assert answer["kind"] == "exact"
    assert answer["interval"][0] < answer["accuracy"] < answer["interval"][1]
    assert answer["abstention"]["risk"] < 0.12
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(SystemExit) as stop:
        main(["classify", str(run), "--prior", "0.5,0.6"])
    assert stop.value.code == 2
    assert "must hold 10" in capsys.readouterr().err


def test_labels_are_matched_by_name_not_by_number(run, tmp_path):
    digits = open_data("digits")
    keep = digits.test.y >= 5
    np.savez(tmp_path / "some.npz", x=digits.test.x[keep].numpy(), y=digits.test.y[keep].numpy(), levels=17)
    assert pc.classify(run, tmp_path / "some.npz", split="train").accuracy > 0.8
    np.savez(tmp_path / "other.npz", x=digits.test.x.numpy(), y=np.where(digits.test.y == 3, "cat", "0"), levels=17)
    with pytest.raises(DataError, match="no class 'cat'"):
        pc.classify(run, tmp_path / "other.npz")


def test_scores_of_unusual_rows():
    reference = torch.randn(5000, generator=runtime.keyed("ref")).double()
    too_probable, usual = torch.full((50,), 5.0).double(), reference[:50]
    log_p, foreign = torch.cat([usual, too_probable]), torch.arange(100) >= 50
    assert auroc(-log_p, foreign) == 0.0
    assert auroc(typicality(log_p, reference), foreign) == 1.0
    assert auroc(ratio(log_p, log_p + foreign), foreign) == 1.0
    assert auroc(torch.zeros(100), foreign) == 0.5
    x = torch.zeros(200, 1, 8, 8).long()
    assert float(
        (mutated(x, Space((1, 8, 8), 17), 0.5, generator=runtime.keyed(0)) > 0).double().mean()
    ) == pytest.approx(0.5 * 16 / 17, abs=0.02)


def test_unusual_tells_noise_from_digits(run, tmp_path):
    noise = torch.randint(17, (300, 8, 8), generator=runtime.keyed("noise"))
    np.savez(tmp_path / "noise.npz", x_train=noise.numpy(), x_test=noise.numpy(), levels=17)
    answer = pc.unusual(run, against=tmp_path / "noise.npz").save(tmp_path / "u.npz")
    assert min(vars(answer.auroc).values()) > 0.99
    assert set(np.load(tmp_path / "u.npz")) == {"likelihood", "typicality", "ratio", "unusual"}


def test_checked_prior_keeps_a_prior():
    assert torch.equal(checked_prior(torch.tensor([0.5, 0.5]).log(), 2).exp(), torch.tensor([0.5, 0.5]))


def test_more_labels_are_better_for_both_kinds():
    rows = contrast(open_data("digits"), densities=("naive-bayes",), per_class=(2, 40), repeats=1)
    assert {row.name for row in rows} == {"Bayes, naive-bayes", "logistic", "svm"}
    by_name = {name: [r.accuracy for r in rows if r.name == name] for name in {r.name for r in rows}}
    assert all(more > few + 0.1 for few, more in by_name.values())
    assert accuracy_picture(rows)[:4] == b"\x89PNG"


@pytest.mark.parametrize("labels", [None, 3])
def test_a_learning_curve_needs_labels_of_two_classes(labels):
    digits = open_data("digits")
    y = None if labels is None else torch.full_like(digits.train.y, labels)
    with pytest.raises(DataError, match="a learning curve needs labels"):
        contrast(replace(digits, train=Rows(digits.train.x, y)))


@pytest.mark.slow
def test_a_comparison_classifies_by_every_density(run):
    digits = open_data("digits")
    found = contest([load(run)], digits, digits.test, samples=4, seed=0)
    assert [c.name for c in found.classifiers] == [load(run).name, "logistic", "svm"]
    assert found.classifiers[0].accuracy == pc.classify(run).accuracy
    assert {c.kind for c in found.classifiers} == {"exact", "discriminative"}
    assert found.notes == ()
    assert len(found.curve) == 4 * 5  # classifiers and numbers of labels
    assert contest([load(run)], digits, Rows(digits.test.x), samples=4, seed=0) is None


@pytest.mark.slow
def test_a_class_with_one_row_does_not_end_a_comparison(run):
    digits = open_data("digits")
    rare = digits.train.y == 7
    keep = ~rare | (rare.cumsum(0) == 1)
    few = replace(digits, train=Rows(digits.train.x[keep], digits.train.y[keep]))
    found = contest([load(run)], few, digits.test, samples=4, seed=0)
    assert [c.name for c in found.classifiers] == [load(run).name, "logistic"]
    assert "svm needs at least 2 labelled rows" in found.notes[0]


def test_rows_to_classify_are_drawn_from_a_sorted_file():
    rows = Rows(torch.arange(1000), torch.arange(1000) // 100 - 1)  # the first hundred without a label
    some = labelled(rows, 90, 0)
    assert len(some) == 90
    assert len(some.y.unique()) == 9
    assert torch.equal(some.y, some.x // 100 - 1)


def test_both_kinds_abstain_at_a_chosen_risk(run):
    answer = pc.classify(run, beside=["logistic"], calibrate=True, risk=0.01)
    for found in (answer, answer.beside[0]):
        assert found.temperature > 0
        assert found.abstention.answered < 1
        assert found.abstention.risk < 1 - found.accuracy


def test_labels_of_filled_rows_are_kept_where_they_are_known_and_else_drawn_by_bayes():
    model = tiny("mixture")
    x = model.sample(2, given=torch.tensor([0, 1]), generator=runtime.keyed(0, "x"))
    n = 4000
    drawn = drawn_labels(
        model, x[:, None].repeat_interleave(n, 1), torch.tensor([1, -1]), generator=runtime.keyed(0, "labels")
    )
    assert drawn is not None
    assert (drawn[0] == 1).all()
    p = GenerativeClassifier(model).log_posterior(x)[1].exp()
    assert drawn[1].bincount(minlength=len(p)).tolist() == pytest.approx((n * p).tolist(), abs=0.03 * n)
