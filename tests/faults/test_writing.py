"""Whatever fails or is killed while a command writes, nothing is lost or left, and the same words do the same."""

import errno
import json
import random

import pyarrow as pa
import pyarrow.csv
import pytest

import priorcraft as pc
from crash import run_until_operation
from faults.injected import unreadable
from faults.writing import COMMANDS, Command, again, cleared, kept, prepared, told, typed, words
from priorcraft import declared
from priorcraft.scale.questions import asked
from said import alike, answer, content, essence, full, golden  # noqa: F401

SLOW = {
    "classify",
    "augment",
    "augment folder",
    "compare",
    "latent-map",
}  # tried by benchmarks/faults.py at every operation
QUICK = [name for name in COMMANDS if name not in SLOW]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The runs and files that the commands ask about."""
    return prepared(tmp_path_factory.mktemp("writing"))


def test_every_command_that_writes_is_tried():
    asked = {name: declared.verb(name) for name in declared.names()}
    writing = {v.name for v in asked.values() if v.writes or any(a.name == "out" for a in v.arguments)}
    assert writing - {"demo"} == {name.partition(" ")[0] for name in COMMANDS}


@pytest.mark.parametrize("name", QUICK)
def test_a_command_says_and_writes_what_it_did(place, name):
    """`PRIORCRAFT_GOLDENS=write python -m pytest tests/faults/test_writing.py -k says` where a change is meant."""
    command = Command.run(name, place)
    files = {each: content(each, data, place) for each, data in command.whole.items()}
    found = {"said": essence(command.said, place), "files": files}
    assert alike(golden("written.json", name, found), found), found


ANSWERED = (  # what the commands that write do not show
    "evaluate {}/x.npz {}/x.npz", "evaluate {}/pets.csv {}/pets.csv --label kind", "verify {}/nb", "data {}/pets.csv",
    "classify {}/nb --beside logistic --calibrate --risk 0.1", "score {}/vae --samples 10", "score {}/pairs",
    "score {}/nb --limit 5", "score {}/pairs --order reverse", "unusual {}/nb --against {}/x.npz", "models",
    "bayes {}/p.csv --query x --given y=1", "calibrate {}/nb --sets 12 --draws 9",
    "inpaint {}/vae {}/image.png --mask left -n 2 --draws 4", "upscale {}/vae {}/small.png -n 2 --draws 4",
    "impute {}/pets {}/holes.csv -n 2 --draws 4 --out {}/out.csv",
    "sample {}/pets -n 4 --where weight>5 --out {}/out.csv",
    "translate {}/vae {}/image.png --to 1 -n 2 --out {}/out.npz", "sample {}/vae -n 3 --given label=1 --out {}/out.npz",
)  # fmt: skip


@pytest.mark.parametrize("line", ANSWERED)
def test_a_command_answers_in_json_what_it_did(place, line):
    """`PRIORCRAFT_GOLDENS=write python -m pytest tests/faults/test_writing.py -k json` where a change is meant."""
    cleared(place)
    code, printed, said = told(*words(line, place), "--json")
    assert code == 0, said
    found = answer(json.loads(printed), place)
    assert alike(golden("answers.json", line, found), found), found


@pytest.mark.parametrize("name", QUICK)
def test_an_error_at_any_operation_of_any_command_loses_nothing_and_leaves_nothing(place, name):
    command, draw = Command.run(name, place), random.Random(name)
    assert command.disturbed(draw.randrange(command.operations), draw.choice([errno.EIO, errno.ENOSPC])) == []


@pytest.mark.parametrize("name", QUICK)
def test_killed_at_any_operation_and_typed_again_a_command_gives_the_same_bytes(place, name):
    command, draw = Command.run(name, place), random.Random(name)
    operation = draw.randrange(command.operations)
    assert command.killed(lambda script: run_until_operation(script, operation)) == []


@pytest.mark.parametrize("name", ["sample", "impute table", "fit"])
def test_without_memory_for_any_tensor_a_command_ends_in_a_sentence_and_loses_nothing(place, name):
    command, draw = Command.run(name, place), random.Random(name)
    assert command.starved(draw.random()) == []


@pytest.mark.parametrize("name", ["impute table", "inpaint", "decode", "bulk score"])
def test_a_file_that_cannot_be_read_is_a_sentence(place, name):
    cleared(place)
    before = kept(place)
    with unreadable(None, place) as done:
        assert typed(*words(COMMANDS[name], place))[0] == 0
    for k in range(0, len(done), 2):
        cleared(place)
        with unreadable(k, place):
            code, said = typed(*again(name, place))
        assert code in (0, 1, 3), (done[k], said)
        assert "a fault of this program" not in said, (done[k], said)
        cleared(place)
        assert kept(place) == before


SAYING = (  # what the commands that write do not print
    "", "--help", "fit --help", "models", "schema fit", "verify {}/nb", "score {}/nb 한", "한 {}",
    "fit {}/x.npz 한", "fit {}/x.npz naive-bayes --set 한=1", "data {}/한.csv",
)  # fmt: skip


@pytest.mark.parametrize("line", SAYING)
def test_a_terminal_that_knows_ascii_alone_is_told_everything(place, line):
    """As the commands that write are in every test of this file."""
    (place / "한.csv").write_text("é,kind\n" + "ü,cat\nß,dog\n" * 20, "utf-8")
    code, printed, said = told(*words(line, place))
    assert code == (2 if "한" in line and "csv" not in line else 0), said
    assert printed or said.startswith("priorcraft: ")
    assert "Unicode" not in said


def test_a_table_with_classes_has_the_same_scores_in_chunks(place):
    """Of all its rows and of one, with and without the classes; `score` itself asks about the rows of the test."""
    table = pa.csv.read_csv(place / "pets.csv")
    found, one, bare = (
        asked(place / "pets", "score")(rows)["log_p"].to_pylist()
        for rows in (table, table.slice(0, 1), table.drop_columns("kind"))
    )
    assert bare == pytest.approx(found, abs=1e-5)
    assert one == pytest.approx(found[:1], abs=1e-5)
    test = pc.score(place / "pets").log_p.tolist()
    assert all(min(abs(p - q) for q in found) < 1e-5 for p in test)
