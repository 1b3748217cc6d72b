"""Each metric beside its controls: what must pass passes, and what must be found is found."""

import dataclasses
import itertools
import json
import math

import pytest
import torch
from torch import nn

from priorcraft.answer import Kind
from priorcraft.core import Approximate, Exact, Implicit, Space
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics import sights
from priorcraft.metrics.baselines import baselines
from priorcraft.metrics.calibration import accuracy_interval, calibration_error, log_loss, wilson
from priorcraft.metrics.characters import characters
from priorcraft.metrics.copies import CopyTest, copies
from priorcraft.metrics.features import Features, draw, noise
from priorcraft.metrics.fidelity import Judge
from priorcraft.metrics.frechet import frechet
from priorcraft.metrics.likelihood import score
from priorcraft.metrics.look import Look
from priorcraft.metrics.relabel import Relabelled, auc
from priorcraft.metrics.sharpness import sharpness
from priorcraft.metrics.standard import Standard
from priorcraft.metrics.two_sample import TwoSample, TwoSampleTest, Verdict, two_sample
from priorcraft.metrics.values import Values
from priorcraft.runtime import keyed, normal

BITS = Space((3,), 2)


class Coins(Exact):
    """Independent biased bits, with another bias for each class."""

    def __init__(self, p: tuple[float, ...], classes: int = 0) -> None:
        super().__init__(BITS, Space((), classes) if classes else None)
        self.p = nn.Parameter(torch.tensor(p), requires_grad=False)
        self.dropout = nn.Dropout(0.5)

    def _log_prob(self, x, given):
        p = self.p if given is None else self.p[given][:, None]
        return (self.dropout(torch.ones(())) * torch.where(x == 1, p, 1 - p).log()).sum(-1)

    def _sample(self, n, given, generator):
        raise NotImplementedError


class Gaussian(Approximate):
    """p(x) = N(0, 2) through z ~ N(0, 1), x | z ~ N(z, 1), with q(z | x) = N(0, 1): a bound with a known gap."""

    def __init__(self, context: Space | None = None) -> None:
        super().__init__(Space((1,)), context)

    def _log_weights(self, x, given, k, generator):
        z = normal((k, len(x)), generator=generator, like=x)
        mean = z if given is None or self.context is None or self.context.is_label else z + given[:, 0]
        return -0.5 * (x[:, 0] - mean) ** 2 - 0.5 * math.log(2 * math.pi)

    def _sample(self, n, given, generator):
        raise NotImplementedError


class Silent(Implicit):
    def _sample(self, n, given, generator):
        raise NotImplementedError


@pytest.fixture(scope="module")
def cube() -> torch.Tensor:
    return torch.tensor(list(itertools.product([0, 1], repeat=3)))


@pytest.fixture(scope="module")
def independent(digits) -> torch.Tensor:
    """450 images whose pixels are drawn independently of one another."""
    x = digits.train.x.flatten(1)
    rows = torch.randint(len(x), (450, 64), generator=keyed(0, "independent"))
    return x[rows, torch.arange(64)].view(-1, 1, 8, 8)


@pytest.fixture(scope="module")
def test_of_two(digits) -> TwoSampleTest:
    return TwoSampleTest(digits)


def resplit(splits: Splits, seed: int) -> Splits:
    """The same rows in other hands."""
    x = torch.cat([splits.train.x, splits.valid.x, splits.test.x])
    x = x[torch.randperm(len(x), generator=keyed(seed, "resplit"))]
    return dataclasses.replace(splits, train=Rows(x[:1000]), valid=Rows(x[1000:1347]), test=Rows(x[1347:]), classes=())


class TestScore:
    def test_equals_the_enumeration_of_the_entropy(self, cube):
        """Rows in the proportions of p itself: mean -log p is the entropy, 1 dit of each bit by hand."""
        found = score(Coins((0.25, 0.5, 0.5)), cube[[0, 1, 2, 3] * 3 + [4, 5, 6, 7]])
        bits = (0.25 * math.log2(4) + 0.75 * math.log2(4 / 3) + 2) / 3
        assert found.kind is Kind.EXACT
        assert found.kind.sign == "="
        assert found.bits_per_dim == pytest.approx(bits)
        assert found.nats == pytest.approx(bits * 3 * math.log(2))
        assert found.samples is None

    def test_sums_over_the_classes(self, cube):
        model = Coins((0.2, 0.9), classes=2)
        by_hand = torch.stack([torch.where(cube == 1, p, 1 - p).prod(-1) for p in (0.2, 0.9)]).mean(0)
        rows = Rows(cube, torch.zeros(8, dtype=torch.long))
        assert score(model, rows).nats == pytest.approx(float(-by_hand.log().mean()))

    def test_standard_error_is_of_bits_for_integers_and_of_nats_for_reals(self, cube):
        nats = -Coins((0.2, 0.5, 0.5)).eval().log_prob(cube)
        error = float(nats.std()) / math.sqrt(8)
        assert score(Coins((0.2, 0.5, 0.5)), cube).standard_error == pytest.approx(error / (3 * math.log(2)))
        real = score(Gaussian(), torch.zeros(5, 1), samples=1, generator=keyed(0))
        draws = 0.5 * normal((5,), generator=keyed(0), like=torch.zeros(())) ** 2
        assert real.standard_error == pytest.approx(float(draws.std()) / math.sqrt(5))
        assert real.bits_per_dim is None

    def test_exact_does_not_depend_on_the_chunks(self, cube):
        model = Coins((0.2, 0.9), classes=2)
        assert score(model, cube, batch=3) == score(model, cube, batch=8)

    def test_dropout_is_off_while_scoring_and_on_again_after(self, cube):
        model = Coins((0.25, 0.5, 0.5)).train()
        assert score(model, cube) == score(model, cube)
        assert model.training
        assert model.dropout.training

    def test_bound_is_marked_and_rises_with_k_to_the_truth(self):
        x = normal((2000, 1), generator=keyed(1), like=torch.zeros(())) * math.sqrt(2)
        truth = float((0.25 * x**2 + 0.5 * math.log(4 * math.pi)).mean())
        found = [score(Gaussian(), x, samples=k, batch=100, generator=keyed(2)) for k in (1, 8, 512)]
        nats = [s.nats for s in found if s.nats is not None]
        assert nats == sorted(nats, reverse=True)
        assert found[-1].nats == pytest.approx(truth, abs=0.02)
        assert all(s.kind is Kind.LOWER_BOUND and s.kind.sign == "≤" for s in found)
        assert [s.samples for s in found] == [1, 8, 512]

    def test_chunks_keep_the_evaluations_bounded(self, monkeypatch):
        seen = []
        weights = Gaussian._log_weights
        monkeypatch.setattr(
            Gaussian, "_log_weights", lambda self, x, c, k, g: seen.append(k * len(x)) or weights(self, x, c, k, g)
        )
        score(Gaussian(Space((), 5)), torch.zeros(100, 1), samples=40, batch=10, generator=keyed(0))
        assert max(seen) <= 640
        assert sum(seen) == 100 * 5 * 40

    def test_a_context_that_is_no_label_is_given(self):
        model = Gaussian(Space((1,)))
        near = score(model, Rows(torch.full((50, 1), 9.0), torch.full((50, 1), 9.0)), generator=keyed(0))
        far = score(model, Rows(torch.full((50, 1), 9.0), torch.zeros(50, 1)), generator=keyed(0))
        assert near.nats is not None
        assert far.nats is not None
        assert near.nats < far.nats - 5
        with pytest.raises(UsageError, match="given is needed"):
            score(model, torch.zeros(5, 1))

    def test_implicit_has_none(self, cube):
        found = score(Silent(BITS), cube)
        assert (found.kind, found.kind.sign, found.nats, found.n) == (Kind.NONE, "", None, 8)

    def test_json(self, cube):
        keys = ["kind", "nats", "bits_per_dim", "standard_error", "n", "samples"]
        found = json.loads(score(Gaussian(), torch.zeros(3, 1), samples=2, generator=keyed(0)).to_json())
        assert list(found) == keys
        assert found["kind"] == "lower bound"
        assert score(Silent(BITS), cube).to_dict() == dict.fromkeys(keys) | {"kind": "none", "n": 8}

    def test_refusals(self, cube):
        with pytest.raises(DataError, match="at least one row"):
            score(Coins((0.5, 0.5, 0.5)), cube[:0])
        with pytest.raises(DataError, match="row 4 is -inf, and so for 4 of 8"):
            score(Coins((0.0, 0.5, 0.5)), cube)
        with pytest.raises(UsageError, match="at least 1, not 0"):
            score(Gaussian(), torch.zeros(3, 1), samples=0)


class TestBaselines:
    def test_digits(self, digits):
        found = baselines(digits)
        assert found["uniform"] == pytest.approx(4.087, abs=1e-3)
        assert found["independent pixels"] == pytest.approx(2.44, abs=0.02)
        assert found["naive Bayes"] == pytest.approx(2.24, abs=0.03)

    def test_independent_bits_by_hand(self):
        x = torch.tensor([[0, 1, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]], dtype=torch.uint8)
        splits = Splits("hand", BITS, (), Rows(x), Rows(x), Rows(x), "none", {})
        entropy = 3 * (0.25 * math.log2(4) + 0.75 * math.log2(4 / 3)) / 3
        assert baselines(splits) == {"uniform": 1.0, "independent pixels": pytest.approx(entropy, abs=1e-5)}

    def test_unlabelled_rows_are_left_out_of_naive_bayes_alone(self, digits):
        y = torch.where(torch.arange(1000) < 500, digits.train.y, -1)
        half = dataclasses.replace(digits, train=Rows(digits.train.x, y))
        assert baselines(half)["independent pixels"] == baselines(digits)["independent pixels"]
        assert 0 < baselines(half)["naive Bayes"] - baselines(digits)["naive Bayes"] < 0.2

    def test_real_numbers_have_none(self):
        rows = Rows(torch.randn(5, 2, generator=keyed(0)))
        assert baselines(Splits("real", Space((2,)), (), rows, rows, rows, "none", {})) == {}


class TestTwoSample:
    def test_controls(self, test_of_two):
        assert test_of_two.controls == {
            "noise": True,
            "independent pixels": True,
            "one row repeated": True,
            "a class removed": True,
            "blurred": True,
            "other real rows": False,
        }

    @pytest.mark.slow
    def test_real_rows_pass_at_the_stated_rate(self, digits):
        """Twelve perfect samplers at an error rate of 0.5 %: more than one error has probability 0.2 %."""
        found = [
            TwoSampleTest(again, seed=seed).test(draw(again.train, 150, generator=keyed(seed)).x, power=False).verdict
            for seed in range(12)
            for again in [resplit(digits, seed)]
        ]
        assert found.count(Verdict.DIFFERENT) <= 1

    @pytest.mark.parametrize(
        ("at", "verdict", "told"),
        [
            (4_000, "not distinguishable", "Not distinguishable by 5 tests"),
            (4_990, "cannot tell", "a perfect sampler comes so far with probability 0.01, and is told at 0.005"),
            (5_000, "distinguishable", "Distinguishable by a test on pixels"),
        ],
    )
    def test_between_the_rates_nothing_is_decided(self, test_of_two, at, verdict, told):
        others = torch.arange(4_999.0)
        far = Look("a test", "pixels", torch.cat([torch.tensor([float(at)]), others]), both=False)
        looks = (far, *[Look("another", "pixels", torch.cat([torch.tensor([9.0]), others]), both=False)] * 4)
        found = test_of_two._verdict(looks, 450)
        assert found == verdict
        assert told in TwoSample(found, looks, (), None, {}, 450, 450).told

    def test_independent_pixels_are_found(self, test_of_two, independent):
        found = test_of_two.test(independent)
        assert found.verdict == "distinguishable"
        assert found.auc > 0.9
        assert found.n == found.m == 450
        assert found.told.startswith("Distinguishable by ")

    @pytest.mark.parametrize("seed", range(4))
    def test_a_missing_class_is_found_and_named(self, digits, seed):
        """450 digits without the threes beside 450 with them; seen in all of 20 draws (benchmarks/truth.py)."""
        x, y = (torch.cat([getattr(p, k) for p in (digits.train, digits.valid, digits.test)]) for k in "xy")
        order = torch.randperm(len(x), generator=keyed(seed, "missing"))
        x, y = x[order], y[order]
        without = (y[:600] != 3).nonzero()[:450, 0]
        parts = [Rows(x[a:b], y[a:b]) for a, b in ((600, 1100), (1100, 1347), (1347, 1797))]
        splits = dataclasses.replace(digits, train=parts[0], valid=parts[1], test=parts[2])
        found = TwoSampleTest(splits, seed=seed).test(x[without])
        assert found.verdict == "distinguishable"
        assert "class 3" in found.told

    def test_repeated_images_are_found(self, test_of_two, digits):
        few = digits.train.x[:100][torch.randint(100, (450,), generator=keyed(0))]
        assert test_of_two.test(few).auc > 0.9

    def test_copies_of_test_rows_lie_below_the_floor(self, test_of_two, digits):
        found = test_of_two.test(digits.test.x)
        assert found.auc < 0.1
        assert found.verdict == "repeats these rows"

    def test_wrong_labels_are_found_by_the_judge(self, test_of_two, digits):
        found = test_of_two.test(digits.valid.x, (digits.valid.y + 1) % 10)
        assert "rows that are of the class they are said to be" in found.told

    @pytest.mark.slow
    def test_few_rows_convict_but_do_not_acquit(self, test_of_two, digits, independent):
        assert test_of_two.test(independent[:60]).verdict == "distinguishable"
        few = test_of_two.test(digits.valid.x[:60])
        assert few.verdict == "too few rows"
        needed = few.needed.rows
        assert 200 <= needed <= 800  # a tenth of the rows missing
        assert f"About {needed} of each would show a class missing from 10% of the rows" in few.told
        assert few.to_dict()["needed"] == needed

    def test_same_seed_same_figures_and_the_global_generator_untouched(self, digits, independent):
        state = torch.get_rng_state()
        once, again = (two_sample(independent[:120], digits, seed=3).to_dict() for _ in range(2))
        assert once == again
        assert torch.equal(state, torch.get_rng_state())

    def test_leave_one_out_in_closed_form_equals_refitting(self):
        f = torch.randn(40, 3, generator=keyed(0))
        who = Relabelled.of(20, 20, 0, generator=keyed(0))
        distances = torch.cdist(f, f).square()
        K = (-distances / (sights.WIDTH * distances[:20, 20:].median())).exp()
        y, scores = who.contrast[:, 0], []
        for i in range(40):
            kept = torch.arange(40) != i
            scores.append(K[i, kept] @ torch.linalg.solve(K[kept][:, kept] + sights.RIDGE * torch.eye(39), y[kept]))
        by_hand = auc(torch.stack(scores)[:, None], who.drawn)
        assert float(sights.kernel_regression(f)(who)) == pytest.approx(float(by_hand), abs=1e-6)

    def test_cannot_tell_where_noise_is_the_truth(self, digits):
        parts = [Rows(noise(digits, n, generator=keyed(n))) for n in (300, 101, 150)]
        splits = Splits("noise", digits.space, (), parts[0], parts[1], parts[2], "none", {})
        assert two_sample(noise(digits, 150, generator=keyed(9)), splits).verdict == "cannot tell"

    @pytest.mark.slow
    def test_real_numbers_and_what_would_have_been_seen(self):
        a, b, c, d = torch.randn(4, 300, 5, generator=keyed(0)).cumsum(-1)
        splits = Splits("walks", Space((5,)), (), Rows(a), Rows(b), Rows(c), "none", {})
        test = TwoSampleTest(splits)
        found = test.test(d)
        assert found.verdict == "not distinguishable"
        assert "would have been seen with 95 % probability: " in found.told
        assert test.test(d[:, torch.randperm(5, generator=keyed(1))]).verdict == "distinguishable"

    @pytest.mark.slow
    def test_what_is_said_to_be_seen_is_seen(self, test_of_two, digits):
        """The stated share of a missing class, taken out of fresh draws by other means."""
        told = next(p.told for p in test_of_two.simulation.power(450) if "missing" in p.told)
        share = float(told.split("missing from ")[1].split("%")[0]) / 100
        assert share <= 0.1

    def test_refusals(self, test_of_two, independent):
        with pytest.raises(UsageError, match="at least one row"):
            test_of_two.test(independent[:0])
        with pytest.raises(DataError, match="samples must lie in 0"):
            test_of_two.test(independent.long() + 17)


class TestJudge:
    def test_is_right_on_real_digits(self, digits):
        judge = Judge(digits)
        assert judge.accuracy >= 0.985
        assert judge.fidelity(digits.test.x, digits.test.y) == judge.accuracy

    def test_counts_what_was_asked_for(self, digits):
        judge, wrong = Judge(digits), (digits.test.y + 1) % 10
        assert judge.fidelity(digits.test.x, wrong) < 0.01
        mixed = torch.where(torch.arange(450) < 225, digits.test.y, wrong)
        low, high = judge.interval(digits.test.x, mixed)
        assert low < 0.5 < high
        assert high - low == pytest.approx(0.092, abs=0.002)

    def test_refusals(self, digits):
        with pytest.raises(DataError, match="labels"):
            Judge(resplit(digits, 0))
        with pytest.raises(UsageError, match="one class for each"):
            Judge(digits).fidelity(digits.test.x, digits.test.y[:3])


class TestCopies:
    def test_training_rows_are_found_and_fresh_rows_are_not(self, digits):
        test = CopyTest(digits)
        assert test.control_share >= 0.95
        assert test.test(digits.train.x).share == 1.0
        assert test.test(digits.train.x).verdict == "copies"
        assert test.test(digits.valid.x).verdict == "no copies"

    def test_one_copy_in_twenty_is_enough(self, digits):
        fresh = resplit(digits, 1)
        samples = torch.cat([fresh.valid.x[:285], fresh.train.x[:15]])
        splits = dataclasses.replace(fresh, valid=Rows(fresh.valid.x[:200]))
        assert copies(samples, splits).verdict == "copies"

    def test_false_positives_keep_to_the_stated_rate(self, digits):
        """0.5 % of 10 x 450 rows is 23; the thresholds' own spread included, 68 would be far out."""
        found = [CopyTest(resplit(digits, seed)).test(resplit(digits, seed).test.x) for seed in range(10)]
        assert sum(check.false_share for check in found) / 10 < 0.015
        assert all(check.verdict == "no copies" for check in found)

    def test_plain_samples_are_not_copies(self, digits, independent):
        means = torch.stack([digits.train.x[digits.train.y == c].float().mean(0).round() for c in range(10)])
        assert copies(means.repeat(10, 1, 1, 1), digits).share == 0
        assert copies(independent, digits).verdict == "no copies"

    def test_cannot_tell_where_the_control_fails(self, cube):
        """Three bits: every row is in the training set, so a copy looks like anything else."""
        x = cube.repeat(60, 1)
        splits = Splits("cube", BITS, (), Rows(x), Rows(x), Rows(x), "none", {})
        found = copies(x, splits)
        assert found.to_dict() == {"share": 0.0, "control": found.control_share, "verdict": "cannot tell"}
        assert found.control_share < 0.95
        assert found.threshold == 1.0

    def test_distance_is_relative_to_the_neighbourhood(self):
        """Half of the rows lie fifty times closer together: a copy of the others is farther than those are apart."""
        scale = torch.where(torch.arange(400) % 2 == 0, 0.02, 1.0)[:, None]
        a, b, c = torch.randn(3, 400, 6, generator=keyed(0)) * scale
        splits = Splits("two scales", Space((6,)), (), Rows(a), Rows(b), Rows(c), "none", {})
        assert copies(a[1::2] + 0.03, splits).share > 0.95

    def test_few_rows_convict_but_do_not_acquit(self, digits):
        few = dataclasses.replace(digits, test=Rows(digits.test.x[:50]))
        assert copies(digits.valid.x[:49], digits).verdict == "cannot tell"
        assert copies(digits.valid.x, few).verdict == "cannot tell"
        assert copies(digits.train.x[:49], few).verdict == "copies"

    def test_real_numbers(self):
        a, b, c, d = torch.randn(4, 400, 6, generator=keyed(0))
        splits = Splits("normal", Space((6,)), (), Rows(a), Rows(b), Rows(c), "none", {})
        assert copies(d, splits).verdict == "no copies"
        assert copies(a + 0.01, splits).verdict == "copies"


class TestCalibration:
    @pytest.mark.parametrize("bins", [1, 7, 15, 1000])
    def test_error_equals_the_loop(self, bins):
        log_p = torch.randn(200, 4, generator=keyed(0), dtype=torch.double).log_softmax(-1)
        y = torch.randint(4, (200,), generator=keyed(1))
        pairs = sorted(
            (math.exp(float(row.max())), int(row.argmax()) == int(c)) for row, c in zip(log_p, y, strict=True)
        )
        size, rest = divmod(200, min(bins, 200))
        total, start = 0.0, 0
        for b in range(min(bins, 200)):
            part = pairs[start : start + size + (b < rest)]
            start += len(part)
            confidence, right = (sum(column) / len(part) for column in zip(*part, strict=True))
            total += len(part) / 200 * abs(right - confidence)
        assert calibration_error(log_p, y, bins) == pytest.approx(total)

    def test_truth_has_only_the_stated_bias_and_boldness_more(self):
        log_p = torch.randn(20000, 4, generator=keyed(0)).log_softmax(-1)
        y = torch.multinomial(log_p.exp(), 1, generator=keyed(1))[:, 0]
        accuracy = float((log_p.argmax(1) == y).float().mean())
        assert calibration_error(log_p, y) < 2 * 0.8 * math.sqrt(accuracy * (1 - accuracy) * 15 / 20000)
        assert calibration_error((3 * log_p).log_softmax(-1), y) > 0.1

    def test_log_loss_and_unlabelled_rows(self):
        log_p = torch.tensor([[0.5, 0.5], [0.25, 0.75], [0.1, 0.9]]).log()
        assert log_loss(log_p, torch.tensor([0, 1, -1])) == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
        assert accuracy_interval(log_p, torch.tensor([1, 1, -1])) == wilson(1, 2)

    def test_wilson_covers(self):
        """95 % intervals for a share of 0.9 over all 101 outcomes of 100 draws: coverage between 0.93 and 0.97."""
        inside = [k for k in range(101) if wilson(k, 100)[0] <= 0.9 <= wilson(k, 100)[1]]
        assert 0.93 < sum(math.comb(100, k) * 0.9**k * 0.1 ** (100 - k) for k in inside) < 0.97
        assert wilson(0, 10)[0] == 0
        assert wilson(10, 10)[1] == 1

    def test_refusals(self):
        with pytest.raises(DataError, match="unlabelled"):
            log_loss(torch.zeros(2, 2), torch.tensor([-1, -1]))
        with pytest.raises(UsageError, match="must be"):
            calibration_error(torch.zeros(2, 2), torch.zeros(3))
        with pytest.raises(UsageError, match="bins"):
            calibration_error(torch.zeros(2, 2), torch.zeros(2, dtype=torch.long), bins=0)


class TestSharpness:
    def test_real_is_one_blur_less_noise_more(self, digits):
        blurred = nn.functional.avg_pool2d(digits.test.x.float(), 3, 1, 1).round()
        assert sharpness(digits.test.x, digits) == 1
        assert sharpness(digits.train.x, digits) == pytest.approx(1, abs=0.03)
        assert sharpness(blurred, digits) < 0.7
        assert sharpness(noise(digits, 450, generator=keyed(0)), digits) > 1.2

    def test_images_only(self, cube):
        splits = Splits("cube", BITS, (), Rows(cube), Rows(cube), Rows(cube), "none", {})
        with pytest.raises(UsageError, match="images"):
            sharpness(cube, splits)


class TestFeatures:
    def test_categories_become_indicators(self):
        rows = Rows(torch.tensor([[0, 2]]))
        found = Features(Splits("dna", Space((2,), 3), (), rows, rows, rows, "none", {}))(rows.x)
        assert found.tolist() == [[1, 0, 0, 0, 0, 1]]

    def test_constant_columns_stay_finite(self):
        rows = Rows(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
        found = Features(Splits("real", Space((2,)), (), rows, rows, rows, "none", {}))(rows.x)
        assert found.tolist() == [[-1, 0], [1, 0]]


def test_frechet_is_the_distance_of_known_gaussians():
    z = torch.randn(200_000, 3, generator=keyed("frechet"), dtype=torch.float64)
    scale, shift = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([0.0, 1.0, -1.0]).double()
    known = float(shift.square().sum() + (scale - 1).square().sum())  # covariances that commute
    assert frechet(z[:100_000], z[100_000:] * scale + shift) == pytest.approx(known, rel=0.02)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=keyed("turn"), dtype=torch.float64))[0]
    a, b = z[:1000] * scale, z[1000:2000] @ turn * 2
    assert frechet(a @ turn, b @ turn) == pytest.approx(frechet(a, b))
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    with pytest.raises(UsageError, match="must be features"):
        frechet(a, b[:, :2])


def test_every_relabelling_has_as_many_samples_and_the_truth_comes_first():
    who = Relabelled.of(5, 3, 200, generator=keyed(0, "who")).drawn
    assert (who.sum(0) == 5).all()
    assert who[:, 0].tolist() == [True] * 5 + [False] * 3
    assert len(who.unique(dim=1).T) > 40  # of the 56 choices


def test_rows_are_equal_where_their_zeros_have_other_signs_and_where_cells_are_empty():
    numbers = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [2.0, math.nan], [2.0, math.nan], [2.0, 3.0]]).double()
    values = Values(numbers, torch.zeros(5, 0, dtype=torch.long), ("a", "b"))
    found = characters(values, Standard(values, pixels=False))
    equal = found.figures[:, found.names.index("rows that repeat")]
    assert equal.exp().round().tolist() == [2, 2, 2, 2, 1]
