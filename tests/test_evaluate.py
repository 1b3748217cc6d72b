"""Samples of any origin, judged beside the data that they should look like."""

import numpy as np
import pandas as pd
import pytest
import torch

import priorcraft as pc
from priorcraft.datasets import Splits
from priorcraft.errors import DataError, UsageError


def saved(path, x, y=None):
    np.savez(path, x=np.asarray(x), **({} if y is None else {"y": np.asarray(y)}))
    return path


def test_real_rows_noise_and_copies_get_the_verdicts_that_they_deserve(digits: Splits, tmp_path):
    fresh = pc.evaluate(saved(tmp_path / "fresh.npz", digits.valid.x, digits.valid.y), digits)
    assert fresh.two_sample.verdict == "not distinguishable"
    assert fresh.copies.verdict == "no copies"
    assert fresh.fidelity > 0.98  # the judge has seen these rows
    assert 0.9 < fresh.sharpness < 1.1
    assert fresh.n == 347
    noise = torch.randint(17, (300, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    found = pc.evaluate(saved(tmp_path / "noise.npz", noise), "digits")
    assert found.two_sample.verdict == "distinguishable"
    assert found.fidelity is None
    copied = pc.evaluate(saved(tmp_path / "copies.npz", digits.train.x[:300]), digits)
    assert copied.copies.verdict == "copies"
    wrong = pc.evaluate(saved(tmp_path / "wrong.npz", digits.valid.x, (digits.valid.y + 1) % 10), digits)
    assert wrong.fidelity < 0.05


def test_samples_of_a_run_come_with_the_names_of_their_classes(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    x = (rng.random((300, 12)) < np.where(y, 0.8, 0.2)[:, None]).astype(np.uint8)
    names = np.array(["no", "yes"])[y]
    np.savez(tmp_path / "bits.npz", x=x, y=names, levels=2)
    run = tmp_path / "run"
    pc.fit(tmp_path / "bits.npz", "naive-bayes", out=run, steps=5)
    drawn = pc.load(run).model.sample(200, given=torch.arange(200) % 2)
    saved(tmp_path / "drawn.npz", drawn, np.array(["no", "yes"])[np.arange(200) % 2])
    pc.sample(run, 200, given={"label": "yes"}).save(tmp_path / "yes.npz")
    assert pc.evaluate(tmp_path / "yes.npz", tmp_path / "bits.npz").fidelity > 0.95  # of one class alone, too
    found = pc.evaluate(tmp_path / "drawn.npz", tmp_path / "bits.npz")
    assert found.fidelity > 0.95
    assert found.sharpness is None
    assert "class fidelity" in str(found)
    with pytest.raises(DataError, match="there is no class 'maybe'"):
        pc.evaluate(saved(tmp_path / "odd.npz", x, np.array(["maybe", "yes"])[y]), tmp_path / "bits.npz")
    with pytest.raises(DataError, match=r"the data are 8 x 8 images .* but these samples are vectors"):
        pc.evaluate(saved(tmp_path / "bare.npz", x), "digits")


@pytest.mark.slow
def test_folders_and_tables_are_brought_to_the_form_of_the_data(digits: Splits, tmp_path):
    pc.data(digits).save(tmp_path / "images")
    assert pc.evaluate(tmp_path / "images" / "valid", digits).two_sample.verdict == "not distinguishable"
    found = pc.evaluate(tmp_path / "images" / "valid", pc.open_data(tmp_path / "images"))
    assert found.n == 347
    assert found.two_sample.verdict == "not distinguishable"
    lines = ["size,kind", *(f"{i % 40},{'ab'[i % 2]}" for i in range(400))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    (tmp_path / "s.csv").write_text("\n".join([lines[0], *lines[101:301]]))
    assert pc.evaluate(tmp_path / "s.csv", tmp_path / "t.csv", reading={"label": "kind"}).n == 200
    (tmp_path / "s.csv").write_text("size,kind\n3,c\n")
    with pytest.raises(DataError, match="line 2: 'kind' must be one of a, b, not 'c'"):
        pc.evaluate(tmp_path / "s.csv", tmp_path / "t.csv", reading={"label": "kind"})


def test_a_run_is_judged_by_rows_that_are_drawn_of_it(tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"{'ab'[i % 2]},{10 * (i % 2) + rng.normal():.2f}" for i in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["kind,size", *lines]) + "\n")
    run = pc.fit(tmp_path / "t.csv", "naive-bayes", out=tmp_path / "run", steps=1, label="kind")
    found = pc.evaluate(str(run.path))
    assert found.n == 60  # half of the rows; they are told from the other half
    assert found.notes == ("60 samples were drawn from naive-bayes.",)
    assert found.fidelity is not None
    assert found.fidelity > 0.9
    with pytest.raises(UsageError, match="give DATA, too"):
        pc.evaluate(str(tmp_path / "t.csv"))


@pytest.mark.filterwarnings("error")
def test_few_rows_of_words_are_judged_without_a_warning():
    real = pd.DataFrame({"v": ["a", "b"] * 30, "o": list("pqr") * 20})
    assert pc.evaluate(real.head(20), real).two_sample.verdict != "distinguishable"
