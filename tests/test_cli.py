"""The command line as a user types it: answers on stdout, one sentence and a code for what cannot be done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from priorcraft import fit
from priorcraft.cli import main
from priorcraft.cli.app import application
from priorcraft.cli.overview import commands, overview
from priorcraft.datasets import open_data

QUICK = ["--steps", "3", "--quiet"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A naive Bayes of the digits."""
    path = tmp_path_factory.mktemp("cli") / "nb"
    fit("digits", "naive-bayes", out=path, steps=3)
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of few small images of two classes, for what takes long on the digits."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("few") / "few.npz"
    y = np.arange(90) % 2
    np.savez(path, x=rng.integers(0, 2, (90, 3, 3)) + y[:, None, None], y=y, levels=3)
    return path


def ask(capsys: pytest.CaptureFixture, *words: object) -> dict:
    """The JSON that a command prints."""
    main([*map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)


def test_fit_sample_score_and_read_it_all_back(run, capsys, tmp_path):
    fitted = ask(capsys, "fit", "digits", "ppca", "--out", tmp_path / "ppca", *QUICK, "--set", "latent=5")
    assert set(fitted) == {"run", "model", "family", "steps", "seconds", "notes", "warnings", "score"}
    assert (fitted["family"], fitted["score"]["kind"]) == ("exact", "exact")

    scored = ask(capsys, "score", run)
    assert set(scored) >= {"kind", "nats", "bits_per_dim", "standard_error", "n", "samples"}
    assert scored["n"] == 450
    assert 2.15 < scored["bits_per_dim"] < 2.35
    assert scored["nats"] == pytest.approx(scored["bits_per_dim"] * 64 * np.log(2))

    out = tmp_path / "threes.npz"
    drawn = ask(capsys, "sample", run, "-n", 7, "--given", "label=3", "--out", out)
    assert set(drawn) >= {"n", "seconds", "out", "method", "network_evaluations", "forward_ratio"}
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["x"].shape == (7, 1, 8, 8)
        assert arrays["x"].dtype.kind == "i"
        assert arrays["y"].tolist() == ["3"] * 7
    assert ask(capsys, "sample", run, "--out", tmp_path / "x.png")["n"] == 16
    each = ["sample", run, "-n", 2, "--given", "label=3", "--out", tmp_path / "each"]
    ask(capsys, *each)
    assert sorted(file.name for file in (tmp_path / "each").iterdir()) == ["0-3.png", "1-3.png"]
    with Image.open(tmp_path / "each" / "0-3.png") as one:
        assert one.size == (8, 8)
    with pytest.raises(SystemExit):
        main([*map(str, each)])
    assert "holds files; choose another folder" in capsys.readouterr().err
    ask(capsys, *each, "--overwrite")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_order_is_the_users_choice(capsys, tmp_path):
    run = tmp_path / "ar"
    ask(capsys, "fit", "digits", "masked-mlp", "--out", run, *QUICK, "--set", "orders=2", "--set", "width=64")
    scores = {
        o: ask(capsys, "score", run, "--limit", 20, "--order", o)["nats"]
        for o in ("ensemble", "raster", "reverse", "random")
    }
    assert len(set(scores.values())) == 4
    assert (
        ask(capsys, "score", run, "--limit", 20, "--order", ",".join(map(str, range(64))))["nats"] == scores["raster"]
    )
    assert ask(capsys, "sample", run, "--out", tmp_path / "x.npz")["method"] == "triangular"
    with pytest.raises(SystemExit) as left:
        main(["score", str(run), "--order", "1,2,3"])
    assert left.value.code == 2
    assert "permutation" in capsys.readouterr().err


def test_models_and_data_are_listed(capsys):
    main(["models", "--json"])
    models = json.loads(capsys.readouterr().out)
    suits = {"good_for", "rows", "size", "time", "memory"}
    assert all(set(row) == {"name", "family", "density", "summary"} | suits and all(row.values()) for row in models)
    assert {"autoregressive", "vae", "gan", "naive-bayes", "mixture", "ppca"} <= {row["name"] for row in models}
    main(["data", "--json"])
    assert "digits" in {row["name"] for row in json.loads(capsys.readouterr().out)}


def test_real_valued_data(capsys, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "plane.npz", x=rng.normal(size=(200, 2)).astype("float32"))
    for model, kind in (("mixture", "exact"), ("ppca", "exact"), ("gan", "none")):
        answer = ask(capsys, "fit", tmp_path / "plane.npz", model, "--out", tmp_path / model, *QUICK)
        assert answer["score"]["kind"] == kind
        assert answer["score"]["bits_per_dim"] is None


REFUSED = {
    "unknown model": (["fit", "digits", "vea", "--out", "{new}"], 2, "did you mean 'vae'"),
    "unknown data": (["fit", "digit", "vae", "--out", "{new}"], 2, "did you mean 'digits'"),
    "missing file": (["fit", "no/such.npz", "vae", "--out", "{new}"], 3, "no/such.npz"),
    "existing run": (["fit", "digits", "vae", "--out", "{run}"], 2, "--overwrite"),
    "no samples": (["sample", "{run}", "-n", "0", "--out", "{new}.npz"], 2, "n must lie in 1"),
    "half a sample": (["sample", "{run}", "-n", "1.5", "--out", "{new}.npz"], 2, "'1.5' is no whole number"),
    "too many samples": (["sample", "{run}", "-n", "1000000000", "--out", "{new}.npz"], 2, "n must lie in"),
    "existing output": (["sample", "{run}", "--out", "{file}"], 2, "--overwrite"),
    "unknown label": (["sample", "{run}", "--given", "label=ten", "--out", "{new}.npz"], 2, "no class 'ten'"),
    "malformed given": (["sample", "{run}", "--given", "3", "--out", "{new}.npz"], 2, "key=value"),
    "no run": (["score", "{new}"], 1, "there is no run folder"),
    "model first": (["fit", "vae", "digits", "--out", "{new}"], 2, "priorcraft fit digits vae"),
    "a word too many": (["models", "vae"], 2, "priorcraft models --help"),
    "sheet and completion": (
        ["inpaint", "{run}", "--data", "digits", "--mask", "top", "--out", "{new}.png", "--restored", "{new}.png"],
        2,
        "names of their own",
    ),
    "a table": (["fit", "{table}", "vae", "--out", "{new}"], 3, "no column to learn from"),
    "pictures of rows": (["data", "{floats}", "--out", "{new}"], 2, "no images"),
    "unknown split": (["score", "{run}", "--split", "tset"], 2, "did you mean 'test'"),
    "other images": (["score", "{run}", "{array}"], 3, "the model was fitted to 8 x 8 images"),
    "naive Bayes of reals": (["fit", "{floats}", "naive-bayes", "--out", "{new}"], 2, "real-valued"),
    "unknown setting": (["fit", "digits", "vae", "--out", "{new}", "--set", "latnet=3"], 2, "did you mean 'latent'"),
    "setting of another type": (["fit", "digits", "vae", "--out", "{new}", "--set", "latent=many"], 2, "of type int"),
    "both budgets": (["fit", "digits", "vae", "--out", "{new}", "--steps", "2", "--minutes", "1"], 2, "not both"),
    "no budget": (["fit", "digits", "vae", "--out", "{new}", "--minutes", "0"], 2, "above zero"),
    "budget of nothing": (["fit", "digits", "vae", "--out", "{new}", "--minutes", "nan"], 2, "above zero"),
    "no data": (["fit", "--out", "{new}"], 2, "needs DATA and MODEL"),
    "unknown option": (["fit", "digits", "vae", "--otu", "{new}"], 2, "--help"),
    "unknown command": (["fti"], 2, "--help"),
    "unknown device": (["score", "{run}", "--device", "tpu"], 2, "auto, cpu, cuda or mps"),
    "repeated model": (["compare", "digits", "--models", "vae,vae", "--out", "{new}"], 2, "repeat"),
    "divergence": (["fit", "digits", "masked-mlp", "--steps", "5", "--set", "lr=1e9", "--out", "{wild}"], 4, "smaller"),
    "foreign folder": (["compare", "digits", "--out", "{folder}", "--overwrite"], 2, "holds no comparison"),
    "nothing to resume": (["fit", "--resume", "--out", "{new}"], 1, "there is no run folder"),
}


@pytest.mark.slow
def test_a_comparison_replaces_its_own_runs_and_no_others(few, tmp_path, capsys):
    def refused(*words: object) -> str:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        assert left.value.code == 2
        return capsys.readouterr().err

    runs, quick = tmp_path / "runs", ("--steps", "2", "--quiet")
    compare = ("compare", few, *quick, "--overwrite", "--models")
    ask(capsys, "fit", few, "ppca", *quick, "--out", runs / "mine")
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    assert "no comparison" in refused(*compare, "naive-bayes", "--out", runs)
    assert "no comparison" in refused("demo", "--out", runs)
    for _ in range(2):
        ask(capsys, *compare, "naive-bayes", "--out", tmp_path / "c")
    ask(capsys, "fit", few, "ppca", *quick, "--out", tmp_path / "c" / "ppca")
    assert "no part" in refused(*compare, "ppca", "--out", tmp_path / "c")
    ask(capsys, "score", tmp_path / "c" / "ppca")
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_a_sentence_and_a_code(case, run, tmp_path, capsys):
    (tmp_path / "file.npz").write_bytes(b"precious")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("precious")
    np.save(tmp_path / "array.npy", np.random.default_rng(0).integers(0, 200, (30, 9, 9)))
    np.save(tmp_path / "floats.npy", np.random.default_rng(0).normal(size=(30, 4)))
    names = {
        "new": tmp_path / "new", "run": run, "file": tmp_path / "file.npz", "array": tmp_path / "array.npy",
        "wild": tmp_path / "wild", "floats": tmp_path / "floats.npy", "folder": tmp_path / "folder",
        "table": tmp_path / "table.csv",
    }  # fmt: skip
    words, code, sentence = REFUSED[case]
    before = sorted(run.rglob("*"))
    with pytest.raises(SystemExit) as left:
        main([word.format(**names) for word in words])
    said = capsys.readouterr()
    assert left.value.code == code, said.err
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "file.npz").read_bytes() == b"precious"
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "precious"
    assert sorted(run.rglob("*")) == before


def test_labels_missing_where_given_needs_them(tmp_path, capsys):
    np.savez(tmp_path / "bits.npz", x=np.random.default_rng(0).integers(0, 2, (50, 6)))
    ask(capsys, "fit", tmp_path / "bits.npz", "naive-bayes", "--out", tmp_path / "nb", *QUICK)
    with pytest.raises(SystemExit) as left:
        main(["sample", str(tmp_path / "nb"), "--given", "label=1", "--out", str(tmp_path / "x.npz")])
    assert left.value.code == 2
    assert "without labels" in capsys.readouterr().err


def test_help_is_fast_because_it_loads_no_torch():
    program = "import sys; from priorcraft.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    check = "print([m for m in ('torch', 'numpy', 'cyclopts', 'rich') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program + check], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "fit" in done.stdout


@pytest.mark.slow
def test_a_question_loads_nothing_that_it_does_not_need(run):
    program = f"import sys; from priorcraft.cli import main\nmain(['score', {str(run)!r}, '--limit', '5'])\n"
    check = "print([m for m in ('pandas', 'sympy', 'sklearn', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program + check], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_overview_names_every_command_in_a_frame(width):
    lines = overview(width).splitlines()
    assert {name for name in commands() if any(line.startswith(f"│ {name} ") for line in lines)} == set(commands())
    assert {len(line) for line in lines if line[:1] in "╭│╰" and line} == {width}
    assert max(map(len, lines)) <= width
    assert set(application()) >= set(commands())


@pytest.mark.slow
def test_module_and_script_work_without_home_terminal_or_utf8(tmp_path):
    bare = {"PATH": os.environ["PATH"], "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "HOME": "/nonexistent"}
    words = [sys.executable, "-O", "-m", "priorcraft", "fit", "digits", "naive-bayes", "--steps", "2", "--out"]
    done = subprocess.run([*words, str(tmp_path / "nb")], capture_output=True, env=bare)
    assert done.returncode == 0, done.stderr
    assert b"exact" in done.stdout


@pytest.mark.slow
def test_a_comparison_is_replaced_when_asked(few, tmp_path, capsys):
    command = ["compare", str(few), "--models", "naive-bayes", "--steps", "2", "--out", str(tmp_path / "c"), "--quiet"]
    assert main(command) in (0, None)
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    assert main([*command, "--overwrite"]) in (0, None)
    assert "Two kinds of classifier" in (tmp_path / "c" / "report.html").read_text()


def test_other_rows_that_come_undivided_are_all_asked_about_in_their_order(run, tmp_path, capsys):
    """And the run's own file stays divided: its training rows are not asked about."""
    digits = open_data("digits")
    np.savez(tmp_path / "other.npz", x=digits.test.x[:20], y=np.asarray(digits.test.y)[:20], levels=17)
    assert ask(capsys, "score", run, tmp_path / "other.npz")["n"] == 20
    ask(capsys, "classify", run, tmp_path / "other.npz", "--out", tmp_path / "c.npz")
    whole = ask(capsys, "classify", run, "--out", tmp_path / "all.npz")
    with np.load(tmp_path / "c.npz") as some, np.load(tmp_path / "all.npz") as every:
        assert (some["prediction"] == every["prediction"][:20]).all()
    assert whole["n"] == 450
    x = np.concatenate([digits.train.x, digits.test.x])
    np.savez(tmp_path / "own.npz", x=x, levels=17)
    ask(capsys, "fit", tmp_path / "own.npz", "naive-bayes", "--steps", "2", "--out", tmp_path / "nb")
    np.savez(tmp_path / "copy.npz", x=x, levels=17)
    np.savez(tmp_path / "one.npz", x=x[:1], levels=17)
    found = {name: ask(capsys, "score", tmp_path / "nb", tmp_path / f"{name}.npz") for name in ("own", "copy", "one")}
    assert {name: answer["n"] for name, answer in found.items()} == {"own": 218, "copy": 218, "one": 1}
    assert found["one"]["split"] == "all"


def test_names_and_cells_of_a_table_steer_no_terminal(capsys, tmp_path):
    rows = [
        '[/b],"na\nme",\x1b[2J',
        *(f"text {k} of {k * k},{'x' * 3000 if k % 2 else chr(7)},\x1b[31m{k % 3}" for k in range(30)),
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    data, run = str(tmp_path / "t.csv"), str(tmp_path / "run")
    for words in (["data", data], ["fit", data, "chow-liu", "--steps", "2", "--out", run], ["score", run]):
        main(words)
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        assert "\x07" not in said.out + said.err
        assert "x" * 99 not in said.out + said.err


def test_a_terminal_that_is_closed_is_written_to_in_vain(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr("sys." + name, None)
    main(["models"])
    with pytest.raises(SystemExit):
        main(["fit"])
