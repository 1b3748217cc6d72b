"""Posteriors put to the test by their own model: every row of ENGINES, and one that is broken on purpose."""

import json
import math

import numpy as np
import pytest
import torch

import priorcraft as pc
from laws.table import MODELS, rows, tiny
from priorcraft import runtime
from priorcraft.cli import main
from priorcraft.condition.components import Components
from priorcraft.condition.dispatch import ENGINES, INTEGERS, engine_for
from priorcraft.condition.restoration import complaints_of
from priorcraft.condition.simulation import simulate
from priorcraft.core import Approximate, Entrywise, Generative, LinearObservation, Observation, Space
from priorcraft.errors import UsageError
from priorcraft.explicit.approximate.ladder import LadderVAE
from priorcraft.explicit.exact.autoregressive import Autoregressive
from priorcraft.explicit.exact.masked_mlp import MaskedAutoregressive
from priorcraft.metrics.simulated import Calibration, Verdict, calibration, calibration_of_classes, rank
from priorcraft.observe import BlockMean, Blur, GaussianNoise, Mask, PixelsAndBlocks

LEVELS, REALS = Space((1, 4, 4), 2), Space((1, 2, 2))
SETS, FEWER, DRAWS = 150, 60, 31
SLOW = (LadderVAE,)


def model_for(kind: type[Generative], space: Space) -> Generative:
    """A tiny model of that kind: of one order, where several would each be a p(x) of its own."""
    if kind is Generative:
        return tiny("masked-mlp", space=space, labels=False)
    if issubclass(MaskedAutoregressive, kind) and kind is Autoregressive:
        with runtime.borrowed_global_generator("one order"):
            model = MaskedAutoregressive(space, None, orders=1, width=12, depth=1).double()
            model.initialise(rows(space)[0], None, generator=runtime.keyed("one order"))
            return model.eval()
    return tiny(next(name for name, (found, _) in MODELS.items() if issubclass(found, kind)), space=space, labels=False)


def observation_for(kind: type[Observation], space: Space) -> Observation:
    """One that hides something of the space."""
    seen = torch.arange(space.dims).view(space.event_shape) < space.dims // 2
    blur = Blur(torch.tensor([[0.25, 0.5, 0.25]]))
    blur.noise = 0.7
    made: dict[type[Observation], Observation] = {
        Mask: Mask(seen),
        BlockMean: BlockMean(2),
        PixelsAndBlocks: PixelsAndBlocks(Mask(seen), BlockMean(2)),
        Entrywise: GaussianNoise(0.7),
        LinearObservation: BlockMean(2) if space.levels is None else GaussianNoise(0.7),
        Observation: blur,
    }
    return made[kind]


def checked(model: Generative, observation: Observation, sets: int = SETS) -> tuple[Calibration, list[str]]:
    """The calibration of an engine by its own model, and what it says of itself."""
    generator = runtime.keyed("calibration", type(model).__name__, type(observation).__name__)
    found = simulate(model, observation, sets, DRAWS, generator=generator)
    shape = model.space.event_shape
    hidden = ~observation.seen if isinstance(observation, Mask) else torch.ones(shape, dtype=torch.bool)
    told = calibration(found.truth, found.draws, hidden, found.around, generator=generator)
    return told, complaints_of(found.kind, found.method, found.diagnostics)


@pytest.mark.parametrize(
    ("row", "integers"),
    [
        pytest.param(
            i, whole, marks=[pytest.mark.slow] * issubclass(row[0], SLOW), id=f"{i}-{row[0].__name__}-{row[1].__name__}"
        )
        for i, row in enumerate(ENGINES)
        for whole in row[2][:1]
    ],
)
def test_every_engine_is_calibrated_or_says_that_it_is_not(row, integers):
    kind, seen, _, engine = ENGINES[row]
    space = LEVELS if integers in INTEGERS else REALS
    model, observation = model_for(kind, space), observation_for(seen, space)
    assert engine_for(model, observation) is engine
    told, complaints = checked(model, observation, FEWER if issubclass(kind, Approximate) else SETS)
    assert told.p > 1e-4 or complaints, told.told


def test_a_posterior_that_is_broken_on_purpose_is_seen(monkeypatch):
    """Draws that stay too near to one another, and draws of another class: both are found by their ranks."""
    model, observation = tiny("mixture", labels=False), Mask(torch.arange(9).view(1, 3, 3) < 3)
    right = Components._sample

    def narrow(self, n, generator):
        drawn = right(self, n, generator)
        return drawn[:, :1].expand_as(drawn)

    assert checked(model, observation)[0].verdict is Verdict.CALIBRATED
    monkeypatch.setattr(Components, "_sample", narrow)
    assert checked(model, observation)[0].verdict is Verdict.NARROW
    monkeypatch.setattr(Components, "_sample", lambda self, n, generator: right(self, n, generator).clamp_min(1))
    assert checked(model, observation)[0].verdict is not Verdict.CALIBRATED


class TestRanks:
    def test_are_uniform_if_truth_and_draws_are_alike_even_with_ties(self):
        x = torch.randint(3, (4000, 10), generator=runtime.keyed("ties")).double()
        found = rank(x[:, :1], x[:, 1:, None], generator=runtime.keyed("u"))
        counts = torch.histc(found.float(), 10, 0, 1)
        assert float(((counts - 400) ** 2 / 400).sum()) < 27.9  # chi-square of 9, 0.1 %

    @pytest.mark.parametrize(("scale", "verdict"), [(1.0, "no fault found"), (0.6, "too narrow"), (1.7, "too wide")])
    def test_say_whether_a_known_posterior_is_too_narrow_or_too_wide(self, scale, verdict):
        generator = runtime.keyed("known", str(scale))
        truth = torch.randn(400, 5, generator=generator)
        draws = scale * torch.randn(400, 31, 5, generator=generator)
        around = torch.randn(400, 5, generator=generator)
        found = calibration(truth, draws, torch.ones(5, dtype=torch.bool), around, generator=generator)
        assert found.verdict == verdict
        assert (found.covered[-1].low < 0.9 < found.covered[-1].high) is (scale == 1)

    def test_coverage_of_a_known_posterior(self):
        generator = runtime.keyed("cover")
        truth, draws = torch.randn(3000, 2, generator=generator), torch.randn(3000, 63, 2, generator=generator)
        found = calibration(truth, draws, torch.ones(2, dtype=torch.bool), truth.flip(0), generator=generator)
        for at in found.covered:
            assert at.low <= at.level <= at.high
            assert abs(at.joint - at.level) < 4 * math.sqrt(at.level * (1 - at.level) / 3000) + 1 / 64

    def test_classes(self):
        log_p = (2 * torch.randn(2000, 5, generator=runtime.keyed("p"))).log_softmax(-1)
        y = torch.multinomial(log_p.exp(), 1, generator=runtime.keyed("y"))[:, 0]
        assert calibration_of_classes(log_p, y, generator=runtime.keyed("u")).verdict == "no fault found"
        bold = (3 * log_p).log_softmax(-1)
        assert calibration_of_classes(bold, y, generator=runtime.keyed("u")).verdict is not Verdict.CALIBRATED

    def test_refusals(self):
        x, draws, nothing = torch.zeros(3, 2), torch.zeros(3, 4, 2), torch.zeros(2, dtype=torch.bool)
        with pytest.raises(UsageError, match="hidden must be True somewhere"):
            calibration(x, draws, nothing, x, generator=runtime.keyed(0))
        with pytest.raises(UsageError, match=r"draws must be \(T, n"):
            calibration(x, draws[:2], ~nothing, x, generator=runtime.keyed(0))


class TestVerb:
    """`calibrate`, as it is typed."""

    @pytest.fixture(scope="class")
    def run(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("calibrate") / "nb"
        main(["fit", "digits", "naive-bayes", "--out", str(path), "--steps", "5", "--quiet"])
        return path

    @pytest.mark.parametrize("question", ["inpaint", "upscale", "impute", "classify"])
    def test_an_exact_model_is_calibrated_on_its_own_draws(self, run, question, capsys):
        main(["calibrate", str(run), "--question", question, "--sets", "100", "--json"])
        found = json.loads(capsys.readouterr().out)
        assert found["verdict"] == "no fault found"
        assert sum(found["histogram"]) == found["sets"] == 100
        nine = found["coverage"][-1]
        assert nine["low"] < 0.93
        assert nine["high"] > 0.87

    def test_translation_is_asked_about_its_test_pairs(self, tmp_path):
        a = torch.randint(3, (120, 2, 2), generator=runtime.keyed("pairs")).numpy()
        np.savez(tmp_path / "pairs.npz", a=a, b=2 - a, levels=3)
        pc.fit(tmp_path / "pairs.npz", "masked-mlp", out=tmp_path / "run", pairs=True, steps=5)
        found = pc.calibrate(tmp_path / "run", question="translate", sets=18, draws=5)
        assert (found.of, found.method, found.draws) == ("test rows", "p(b | a)", 5)
        assert found.verdict == "too few sets"

    def test_on_test_rows_the_model_is_judged_too(self, run, tmp_path):
        found = pc.calibrate(run, mask="bottom", sets=200, on_test_rows=True)
        assert found.verdict == "too narrow"  # pixels are not independent given the class
        assert "sets of 90% hold" in str(found)
        found.save(tmp_path / "ranks.png").save(tmp_path / "ranks.npz")
        assert (tmp_path / "ranks.png").read_bytes()[:4] == b"\x89PNG"

    def test_refusals(self, run):
        with pytest.raises(UsageError, match="sets and draws must lie in"):
            pc.calibrate(run, sets=1)
        with pytest.raises(UsageError, match="there is no mask 'botom'"):
            pc.calibrate(run, mask="botom")
