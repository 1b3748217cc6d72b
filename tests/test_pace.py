"""A budget goes into training, and a model that is too slow for it says so before it begins."""

import math
from dataclasses import replace

import torch

from priorcraft import runtime, zoo
from priorcraft.datasets import Splits
from priorcraft.metrics.likelihood import score
from priorcraft.run import load
from priorcraft.run.floors import Floors, expected
from priorcraft.run.pace import ENOUGH, FEWEST, Pace, advice, last_score, measured, narrowed, quicker
from priorcraft.train.loop import VALIDATION_ROWS, VALIDATIONS, Budget, Record
from priorcraft.verbs.fit import fit


def test_looks_take_at_most_a_tenth_of_the_budget_and_never_no_rows():
    for look in (1e-6, 1e-3, 0.5):
        pace, budget = Pace(step=0.1, look=look, scored=1.0), Budget(seconds=90)
        rows = pace.looked_at(budget)
        assert rows in (VALIDATION_ROWS, FEWEST) or VALIDATIONS * rows * look <= 9
    assert Pace(1.0, 1.0, 1.0).looked_at(Budget(steps=5)) == VALIDATION_ROWS


def test_a_model_that_is_too_slow_names_one_that_is_not(digits: Splits):
    slow = Pace(step=12.0, look=0.1, scored=0.1)
    (said,) = advice("ladder-vae", slow, digits, Budget(seconds=90))
    assert f"fewer than {ENOUGH}" in said
    assert any(f"take {name}, which" in said for name in zoo.ZOO)
    assert advice("ladder-vae", replace(slow, step=0.1), digits, Budget(seconds=90)) == []
    assert advice("ladder-vae", slow, digits, Budget(steps=7)) == []


def test_a_quicker_model_is_looked_for_a_while_and_not_longer(digits: Splits, monkeypatch):
    monkeypatch.setattr("priorcraft.run.pace.ADVICE_SECONDS", 0.0)
    assert quicker("masked-conv", digits, Budget(seconds=1e-6), 0) == "naive-bayes, which is counted and needs no steps"


def test_a_picture_that_takes_too_long_is_given_up_with_a_sentence(digits: Splits, tmp_path, monkeypatch):
    monkeypatch.setattr("priorcraft.scale.trained.drawn_within", lambda budget: 1e-4)
    monkeypatch.setattr("priorcraft.run.pace.ADVICE_SECONDS", 0.0)
    said = list[Record]()
    fit(digits, "masked-mlp", out=tmp_path / "run", minutes=1e-3, settings={"width": 8}, listen=lambda _: said.append)
    assert any("no picture of samples: it takes longer than 0 s" in str(each.values.get("message")) for each in said)
    assert not list((tmp_path / "run" / "samples").glob("*.png"))


def test_measuring_a_pace_and_a_score_that_fits_it(digits: Splits):
    budget = Budget(seconds=5)
    model, objective = zoo.build("masked-mlp", digits.space, digits.context, 1000, {"width": 16}, seed=0)
    pace = measured(model, objective, digits, budget)
    assert pace.step is not None
    assert 0 < pace.step < 5
    assert len(narrowed(digits, pace.looked_at(budget)).valid) <= len(digits.valid)
    slow = replace(pace, scored=1.0)
    assert last_score(model, digits.valid, slow, budget, lambda done, of: None).n == int(slow.scored * 10)


def test_a_score_ends_where_it_is_told_to(digits: Splits):
    model, _ = zoo.build("naive-bayes", digits.space, digits.context, 1000, {}, seed=0)
    assert score(model, digits.valid, batch=50, go_on=lambda done: done < 100, generator=runtime.keyed(0)).n == 100
    whole = score(model, digits.valid.x, batch=50)
    assert whole.nats is not None
    assert torch.isclose(torch.tensor(whole.nats), torch.tensor(score(model, digits.valid.x).nats))


def test_a_fit_that_is_worse_than_counting_says_so(digits: Splits, tmp_path):
    made = fit(digits, "masked-mlp", out=tmp_path / "bad", steps=1, settings={"width": 8, "depth": 1, "lr": 10.0})
    assert made.warnings == load(made.path).warnings
    assert "no better than independent entries (2.4" in made.warnings[-1]
    assert fit(digits, "naive-bayes", out=tmp_path / "good", steps=1).warnings == ()


def test_before_it_begins_a_fit_says_what_it_costs_and_what_it_has_to_beat(digits: Splits):
    model, _ = zoo.build("masked-mlp", digits.space, digits.context, 1000, {"width": 16}, seed=0)
    said = expected(model, Pace(0.5, 0.1, 0.1), Budget(seconds=100), Floors.of(digits), 64 * math.log(2))
    assert said.startswith("about 180 steps of 0.5 s; ")
    assert said.endswith("uniform 4.09, independent entries 2.43, and the training starts at 1.00.")
