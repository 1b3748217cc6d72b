"""Augmentation: the verdict is right where the truth is known, and what is written can be read again."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import priorcraft as pc
from priorcraft import runtime
from priorcraft.cli import main
from priorcraft.core import Space
from priorcraft.datasets import Rows, open_data
from priorcraft.datasets.pairs import open_pairs
from priorcraft.errors import DataError, UsageError
from priorcraft.metrics.gain import Gain, classically, interval, moved, prove, smote
from priorcraft.scale.adding import vetted
from priorcraft.scale.answering import answer, augment_job
from priorcraft.scale.content import content
from priorcraft.scale.questions import alone


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A hundred labelled digits, and a fitted density of them."""
    folder, digits = tmp_path_factory.mktemp("augment"), open_data("digits")
    parts = {f"x_{p}": digits.rows(p).x[:n].numpy() for p, n in (("train", 100), ("valid", 100), ("test", 450))}
    parts |= {f"y_{p}": digits.rows(p).y[:n].numpy() for p, n in (("train", 100), ("valid", 100), ("test", 450))}
    np.savez(folder / "few.npz", levels=17, **parts)
    pc.fit(folder / "few.npz", "ppca", out=folder / "run", steps=2, device="cpu")
    return folder


class Nearest:
    """One nearest neighbour, as a classifier."""

    def __init__(self, x, y):
        self.x, self.y = x.flatten(1).double(), y

    def log_posterior(self, x):
        near = self.y[torch.cdist(x.flatten(1).double(), self.x).argmin(1)]
        return torch.nn.functional.one_hot(near, int(self.y.max()) + 1).double()


def two_normals(n, purpose, flip=0.0):
    """Two overlapping classes in the plane; a share `flip` of the labels is wrong."""
    generator = runtime.keyed("normals", purpose)
    y = torch.arange(n) % 2
    x = torch.randn(n, 2, generator=generator) + 2.5 * y[:, None]
    wrong = torch.rand(n, generator=generator) < flip
    return Rows(x, torch.where(wrong, 1 - y, y))


def verdict_of(flip, train):
    def draw(wanted, generator):
        fresh = two_normals(2 * len(wanted), int(torch.randint(10**6, (1,), generator=generator)), flip)
        return Rows(fresh.x[: len(wanted)], fresh.y[: len(wanted)])

    arms = {"real + classical": classically(train, Space((2,))), "real + synthetic": draw}
    proof = prove(train, two_normals(1000, "test"), arms, lambda r: Nearest, torch.arange(600) % 2, repeats=5)
    return proof.gain("real + synthetic").verdict


def test_the_verdict_is_right_where_the_truth_is_known():
    """True samples help a classifier of six rows, three of them mislabelled; wrongly labelled ones help nobody."""
    poor = two_normals(6, "poor")
    poor = Rows(poor.x, torch.tensor([0, 1, 1, 1, 0, 0]))
    assert verdict_of(0.0, poor) == "helps"
    assert verdict_of(0.5, two_normals(400, "rich")) == "does not help"


def test_verdicts_follow_the_interval():
    assert Gain(0.02, (0.01, 0.03)).verdict == "helps"
    assert Gain(0.001, (-0.004, 0.006)).verdict == "does not help"
    assert Gain(0.01, (-0.02, 0.04)).verdict == "cannot tell"


def test_the_interval_of_a_gain_covers_its_truth():
    """30 experiments with 95 % intervals: at least 25 cover 0 (error rate 3e-3)."""
    covered = 0
    for k in range(30):
        rows = torch.randn(1, 150, generator=runtime.keyed("rows", k))
        repeats = torch.randn(8, 1, generator=runtime.keyed("repeats", k)) * 0.05
        noise = torch.randn(8, 150, generator=runtime.keyed("noise", k))
        low, high = interval((rows + repeats + noise).double(), generator=runtime.keyed(k))
        covered += low <= 0 <= high
    assert covered >= 25


def test_classical_augmentation_stays_in_the_space_and_in_the_class():
    digits = open_data("digits")
    draw = classically(digits.train, digits.space)
    wanted = torch.arange(10).repeat_interleave(20)
    added = draw(wanted, runtime.keyed(0))
    digits.space.check(added.x)
    assert torch.equal(added.y, wanted)
    own = [Nearest(digits.train.x, digits.train.y).log_posterior(added.x).argmax(1) == wanted]
    assert float(own[0].double().mean()) > 0.8


def test_moves_and_smote_do_what_they_say():
    x = torch.zeros(600, 1, 8, 8).long()
    x[:, 0, 3, 3] = 5
    out = moved(x, generator=runtime.keyed(0))
    places = out.flatten(1).argmax(1)
    assert {divmod(int(p), 8) for p in places.unique()} >= {(2, 3), (4, 3), (3, 2), (3, 4)}
    assert bool((out.flatten(1).sum(1) == 5).all())
    line = torch.stack([torch.arange(9.0), 2 * torch.arange(9.0)], 1)
    made = smote(line, torch.randint(9, (50,), generator=runtime.keyed(1)), Space((2,)), generator=runtime.keyed(2))
    assert torch.allclose(made[:, 1], 2 * made[:, 0], atol=1e-5)


def test_an_augmented_file_opens_again_and_says_where_rows_come_from(small, capsys):
    out = small / "more.npz"
    main(
        [
            "augment",
            str(small / "few.npz"),
            str(small / "run"),
            "--per-class",
            "5",
            "--repeats",
            "2",
            "--out",
            str(out),
            "--json",
        ]
    )
    answer = json.loads(capsys.readouterr().out)
    assert {"verdict", "gain", "table", "out", "n"} <= set(answer)
    assert [row["training"] for row in answer["table"]] == [
        "real",
        "real + classical",
        "real + synthetic",
        "synthetic alone",
    ]
    found, again, before = np.load(out), open_data(out), open_data(small / "few.npz")
    assert answer["n"] == 50
    assert len(again.train) == 150
    assert torch.equal(again.train.x[:100], before.train.x)
    assert torch.equal(again.train.y[:100], before.train.y)
    assert torch.equal(again.test.x, before.test.x)
    assert found["synthetic"].sum() == 50
    assert set(found["model"][found["synthetic"]]) == {"ppca"}
    assert torch.equal(again.train.y[100:].bincount(), torch.full((10,), 5))


def test_a_folder_comes_with_its_provenance(small):
    answer = pc.augment(small / "few.npz", small / "run", per_class=2, repeats=1, seed=3).save(small / "folder")
    with open(small / "folder" / "provenance.csv") as file:
        lines = list(csv.DictReader(file))
    synthetic = [line for line in lines if line["source"] == "synthetic"]
    assert len(synthetic) == answer.n == 20
    assert {line["seed"] for line in synthetic} == {"3"}
    assert all((small / "folder" / line["file"]).is_file() for line in lines)
    assert len(open_data(small / "folder").train) == 120


def test_balancing_fills_the_rare_classes(small):
    y = open_data(small / "few.npz").train.y
    answer = pc.augment(small / "few.npz", small / "run", per_class=12, balance=True, repeats=1).save(small / "b.npz")
    assert answer.n == int((12 - y.bincount()).clamp_min(0).sum())


def test_balancing_fills_one_class_alone(small, tmp_path):
    with np.load(small / "few.npz") as f:
        arrays = dict(f)
    keep = np.cumsum(arrays["y_train"] == 3) * (arrays["y_train"] == 3) <= 4  # four threes, all the others
    arrays |= {"x_train": arrays["x_train"][keep], "y_train": arrays["y_train"][keep]}
    np.savez(tmp_path / "rare.npz", **arrays)
    others = int(np.delete(np.bincount(arrays["y_train"]), 3).min())
    how = {"per_class": others, "balance": True, "repeats": 1, "classifier": "logistic"}
    answer = pc.augment(tmp_path / "rare.npz", small / "run", **how).save(tmp_path / "more.npz")
    assert answer.n == others - 4
    assert set(np.load(tmp_path / "more.npz")["y_train"][-answer.n :]) == {"3"}


def test_rows_that_the_model_has_seen_are_not_held_out(small):
    """A run that was fitted to the test rows cannot prove anything on them."""
    with np.load(small / "few.npz") as f:
        arrays = dict(f)
    arrays["x_test"], arrays["y_test"] = arrays["x_train"].copy(), arrays["y_train"].copy()
    np.savez(small / "leak.npz", **arrays)
    with pytest.raises(DataError, match="fitted to every test row"):
        pc.augment(small / "leak.npz", small / "run", per_class=5).save(small / "no.npz")


def test_bad_input_is_a_sentence_and_nothing_is_written(small):
    for settings, match in (
        ({"per_class": 0}, "per_class must lie"),
        ({"per_class": 5, "classifier": "tree"}, "no method 'tree'"),
        ({"per_class": 1, "balance": True}, "nothing to balance"),
    ):
        with pytest.raises(UsageError, match=match):
            pc.augment(small / "few.npz", small / "run", repeats=1, **settings).save(small / "never.npz")
    assert not (small / "never.npz").exists()


def test_pairs_are_fitted_and_translated(tmp_path):
    digits = open_data("digits", limit=120)
    b = digits.train.x.numpy()
    a = np.abs(np.diff(b.astype(int), axis=-1, prepend=0))
    np.savez(tmp_path / "pairs.npz", a=a, b=b, levels=17)
    run = pc.fit(tmp_path / "pairs.npz", "masked-mlp", pairs=True, out=tmp_path / "run", steps=3, device="cpu")
    assert run.score.kind is pc.Kind.EXACT
    found, again = (pc.translate(run, torch.from_numpy(a[:3]), 4).b for _ in range(2))
    assert found.shape == (3, 4, 1, 8, 8)
    assert torch.equal(found, again)
    with pytest.raises(UsageError, match="labels alone"):
        pc.fit(tmp_path / "pairs.npz", "ppca", pairs=True, out=tmp_path / "no")


def test_a_pair_without_its_partner_is_refused():
    with pytest.raises(DataError, match="a holds 5 rows and b 4"):
        open_pairs({"a": np.zeros((5, 2, 2), int), "b": np.zeros((4, 2, 2), int)})
    with pytest.raises(DataError, match="no partner"):
        open_pairs({"a_train": np.zeros((5, 2, 2), int)})


def chunks_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def test_samples_in_chunks_are_checked_like_those_at_once_and_do_not_depend_on_their_order(small, tmp_path):
    run = pc.load(small / "run")
    job = replace(augment_job(run, small / "few.npz", 12), size=50)
    assert job.count == 3
    with alone():
        backwards = {chunk: content(job, chunk) for chunk in (2, 1, 0)}
    answer(job, tmp_path / "out")
    assert list(chunks_of(tmp_path / "out").values()) == [backwards[chunk] for chunk in range(3)]
    parts = [np.load(path) for path in sorted((tmp_path / "out").glob("part-*.npz"))]
    x, y = (np.concatenate([part[name] for part in parts]) for name in "xy")
    assert np.bincount(y.astype(int), minlength=10).tolist() == [12] * 10
    source = vetted(str(run.path.absolute()), str((small / "few.npz").absolute()), 0)
    assert bool(source._passes(torch.from_numpy(x), torch.from_numpy(y.astype(int))).all())


@pytest.mark.slow
def test_samples_in_chunks_by_the_command_are_the_same_bytes_for_one_and_two_workers_also_on_ray(small, tmp_path):
    pytest.importorskip("ray")
    words = ["augment", str(small / "few.npz"), str(small / "run"), "--per-class", "2000", "--json"]
    for name, more in (("1", ["--workers", "1"]), ("2", ["--workers", "2"]), ("ray", ["--on", "local"])):
        main([*words, *more, "--out", str(tmp_path / name)])
    assert len(chunks_of(tmp_path / "1")) == 3
    assert chunks_of(tmp_path / "1") == chunks_of(tmp_path / "2") == chunks_of(tmp_path / "ray")
