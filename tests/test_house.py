"""One declaration a verb: commands, schema and face follow from it, and no second list of verbs stands anywhere."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

import priorcraft as pc
from priorcraft import declared
from priorcraft.answer import Answer, Facts, Listing, Picture, Rows, Sentence
from priorcraft.cli import main
from priorcraft.errors import UsageError

SOURCES = Path(declared.__file__).parent


def answers(name: str) -> list[type]:
    """The kinds of answer of a verb."""
    kind = get_type_hints(getattr(import_module(f"priorcraft.verbs.{name}"), name))["return"]
    return list(get_args(kind)) or [kind]


@pytest.mark.parametrize("name", declared.names())
def test_a_verb_is_declared_once_and_whole(name, capsys):
    verb = declared.verb(name)
    assert callable(getattr(pc, name))
    assert all(issubclass(kind, Answer) for kind in answers(name))
    unsaid = [a.name for a in verb.arguments if not a.help and a.name != "reading"]
    assert not unsaid, f"{name} does not say what {unsaid} are"
    written = {what for kind in answers(name) for what in kind.writes}
    assert {each.name for each in verb.writes} == written
    main([verb.name, "--help"])
    said = capsys.readouterr().out
    for argument in verb.arguments:
        if argument.name not in ("reading", "listen"):
            assert argument.option in said or argument.name.upper() in said
    assert all(f"--{each.name}" in said for each in verb.writes)
    assert pc.schema(verb.name).arguments["properties"].keys() >= {
        a.name for a in verb.arguments if a.name not in ("reading", "listen")
    }


def test_no_second_list_of_verbs_stands_anywhere():
    names = {declared.verb(name).name for name in declared.names()} | set(declared.names())
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
                members = node.keys if isinstance(node, ast.Dict) else node.elts
                words = {m.value for m in members if isinstance(m, ast.Constant) and isinstance(m.value, str)}
                assert len(words & names) < 8, f"{path.name}, line {node.lineno} lists verbs"


def test_how_data_are_read_is_said_by_name_as_on_the_command_line(tmp_path):
    (tmp_path / "t.csv").write_text("kind,legs\n" + "cat,4\nhen,2\n" * 40)
    by_name = pc.data(tmp_path / "t.csv", label="kind", limit=10)
    assert by_name.to_json() == pc.data(tmp_path / "t.csv", reading={"label": "kind", "limit": 10}).to_json()
    assert {"label", "size", "empty"} <= set(inspect.signature(pc.fit).parameters)


def test_the_face_shows_the_best_part_and_no_module_hides_a_verb():
    shown = set(dir(pc))
    assert {*declared.names(), "Space", "Exact", "Approximate", "Implicit", "Mask", "posterior", "Run", "load"} <= shown
    for name in shown - {"__version__"}:
        assert not any((SOURCES / file).exists() for file in (f"{name}/__init__.py", f"{name}.py")), (
            f"a module hides {name}"
        )
        assert getattr(pc, name) is getattr(pc, name)


def test_a_run_goes_from_fit_to_every_question(tmp_path):
    run = pc.fit("digits", "naive-bayes", out=tmp_path / "nb", steps=3)
    again = pc.load(tmp_path / "nb")
    assert isinstance(run, pc.Run)
    assert run.score == again.score
    assert f"{run.score}".startswith("= ")
    drawn = pc.sample(run, 4)
    assert drawn.x.shape == (4, 1, 8, 8)
    assert drawn.save(tmp_path / "x.npz").saved == {"out": str(tmp_path / "x.npz")}
    for answer in (run, drawn, pc.score(run, limit=20), pc.classify(run), pc.models(), pc.data("digits")):
        page = answer._repr_html_()
        assert page.startswith("<div>")
        assert "array(" not in page
        assert str(answer)
        if not isinstance(answer, Listing):
            assert set(answer.to_dict())


def test_a_run_without_a_place_says_where_it_is():
    run = pc.fit("digits", "naive-bayes", steps=2)
    assert run.path.is_dir()
    assert str(run.path) in str(run)


def test_a_folder_called_arrays_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pc.data("digits", reading={"limit": 30}).save("arrays")
    run = pc.fit("arrays", "naive-bayes", out="run", steps=2)
    assert pc.score(run).n == len(pc.open_data("arrays").test)
    memory = pc.fit(pc.open_data({"x": np.zeros((40, 3), int) + np.arange(40)[:, None] % 2}), "naive-bayes", steps=2)
    with pytest.raises(Exception, match="data in memory; give the data with the question"):
        pc.score(pc.load(memory.path))


def test_what_resume_cannot_use_is_refused(tmp_path):
    run = pc.fit("digits", "naive-bayes", out=tmp_path / "run", steps=2)
    with pytest.raises(UsageError, match="has form rows, not pairs"):
        pc.fit(out=run.path, resume=True, pairs=True)
    with pytest.raises(UsageError, match="goes with --resume"):
        pc.fit("digits", "naive-bayes", out=tmp_path / "new", allow_data_change=True)


def test_a_path_asks_for_what_it_shall_hold(tmp_path):
    """`--curve FILE` sets the argument `curve`, without which there would be nothing to draw."""
    rng, y = np.random.default_rng(0), np.arange(90) % 2
    np.savez(tmp_path / "few.npz", x=rng.integers(0, 2, (90, 3, 3)) + y[:, None, None], y=y, levels=3)
    run = pc.fit(tmp_path / "few.npz", "naive-bayes", out=tmp_path / "run", steps=2)
    main(["classify", str(run.path), "--curve", str(tmp_path / "curve.png")])
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_shows_names_as_they_are():
    """What a user called a column or a file is text on a page, never its markup."""
    hostile = "<img src=x onerror=alert(1)>"
    pieces = (Facts({hostile: hostile}), Rows([{hostile: hostile}], hostile), Sentence(hostile), Picture(b"", hostile))
    for piece in pieces:
        assert "<img src=x" not in piece.html()
        assert "&lt;img src=x" in piece.html()


def test_json_is_what_the_command_prints(tmp_path, capsys):
    run = pc.fit("digits", "naive-bayes", out=tmp_path / "run", steps=2)
    main(["score", str(run.path), "--limit", "30", "--json"])
    assert capsys.readouterr().out.strip() == pc.score(run, limit=30).to_json()
    main(["models"])
    assert re.search(r"naive-bayes.*exact", capsys.readouterr().out)
