"""How data were read is part of a run: it is remembered, and others are read alike."""

import numpy as np
import pytest
from PIL import Image

import priorcraft as pc
from priorcraft.cells import read_cells
from priorcraft.cells.stored import stored
from priorcraft.core import Space
from priorcraft.datasets.plain import read_arrays
from priorcraft.errors import DataError, UsageError


def folder_of_images(root, side, mode="L", count=40):
    rng = np.random.default_rng(0)
    for label in "ab":
        (root / label).mkdir(parents=True)
        for i in range(count // 2):
            image = rng.integers(100 * (label == "a"), 156 + 100 * (label == "a"), (side, side), dtype=np.uint8)
            Image.fromarray(image).convert(mode).save(root / label / f"{i}.png")
    return root


def test_options_of_reading_are_remembered_and_others_are_brought_to_them(tmp_path):
    own, other = folder_of_images(tmp_path / "own", 20), folder_of_images(tmp_path / "other", 9, "RGB")
    reading = {"size": 6, "levels": 8}
    pc.fit(own, "naive-bayes", out=tmp_path / "run", steps=3, reading=reading, device="cpu")
    assert pc.load(tmp_path / "run").model.space == Space((1, 6, 6), 8)
    assert pc.score(tmp_path / "run").n == 6
    assert pc.score(tmp_path / "run", other).n == 40
    for _ in range(2):  # a package of the same name would hide the verb after the first call
        assert pc.classify(tmp_path / "run", other).accuracy > 0.9


@pytest.mark.slow
def test_a_comparison_reads_as_it_was_asked_and_its_runs_too(tmp_path):
    own, reading = folder_of_images(tmp_path / "own", 20), {"size": 6, "limit": 20}
    answer = pc.compare(own, models=["naive-bayes"], steps=3, out=tmp_path / "all", reading=reading, device="cpu")
    assert "for filling in: naive-bayes" in str(answer)
    assert "for filling in: naive-bayes" in answer.report.read_text()
    assert "--size 6 --limit 20" in (tmp_path / "all" / "report.html").read_text()
    assert answer.data.shape == (1, 6, 6)
    assert pc.score(tmp_path / "all" / "naive-bayes", split="train").n == 20


def test_a_run_that_goes_on_is_not_made_another_one(tmp_path):
    run = tmp_path / "run"
    pc.fit("digits", "vae", out=run, steps=2, settings={"lr": 0.001}, device="cpu")
    for asked, named in (
        ({"model": "gan"}, "has model vae, not gan"),
        ({"seed": 3}, "has seed 0, not 3"),
        ({"settings": {"lr": "0.1"}}, r"has lr 0\.001, not 0\.1"),
        ({"reading": {"size": 4}}, "was started without size"),
        ({"overwrite": True}, "give one of them"),
    ):
        with pytest.raises(UsageError, match=named):
            pc.fit("digits", out=run, resume=True, device="cpu", **asked)
    pc.fit("digits", "vae", out=run, resume=True, steps=3, seed=0, settings={"lr": "1e-3"}, device="cpu")


def test_a_run_that_translates_says_so_and_can_be_scored(tmp_path):
    x = np.arange(40 * 16, dtype=np.uint8).reshape(40, 1, 4, 4) % 5
    np.savez(tmp_path / "pairs.npz", a=x, b=4 - x, levels=5)
    run = tmp_path / "run"
    pc.fit(tmp_path / "pairs.npz", "vae", out=run, steps=2, pairs=True, device="cpu")
    assert pc.score(run, samples=2).n == 6
    for question in (pc.sample, pc.classify, pc.unusual, pc.encode):
        with pytest.raises(UsageError, match="ask it with translate or score"):
            question(run)


def test_array_files_are_refused_in_one_sentence_without_advice_to_unpickle(tmp_path):
    (tmp_path / "table.npz").write_text("a,b\n1,2\n")
    np.savez(tmp_path / "objects.npz", x=np.array([{}], object))
    for name, reason in (("table", "neither"), ("objects", "never loaded"), ("none", "No such file")):
        with pytest.raises(DataError, match=reason) as refused:
            read_arrays(tmp_path / f"{name}.npz")
        assert "allow_pickle" not in str(refused.value)
    (tmp_path / "table.xlsx").write_text("not read")
    with pytest.raises(DataError, match="is a table of another kind; save it"):
        pc.open_data(tmp_path / "table.xlsx")


def test_data_are_looked_at_and_written_as_images_that_can_be_read_again(tmp_path):
    found = pc.data("digits", reading={"limit": 20}).save(tmp_path / "images")
    again = pc.data(tmp_path / "images")
    assert found.to_dict()["files"] == 60
    for key in ("shape", "classes", "n_train", "n_valid", "n_test"):
        assert getattr(again, key) == getattr(found, key)
    own, read = pc.open_data("digits", limit=20), pc.open_data(tmp_path / "images", levels=17)
    assert sorted(own.test.x.flatten(1).tolist()) == sorted(read.test.x.flatten(1).tolist())
    with pytest.raises(UsageError, match="new folder"):
        pc.data("digits").save(tmp_path / "images")


def test_a_sheet_says_what_it_leaves_out(tmp_path):
    pc.fit("digits", "naive-bayes", out=tmp_path / "run", steps=3, device="cpu")
    how, sheet = {"mask": "bottom", "data": "digits", "draws": 10, "limit": 2}, tmp_path / "sheet.png"
    answer = pc.inpaint(tmp_path / "run", n=10, **how).save(sheet)
    assert "8 of 10 completions of 2 of 2 images" in " ".join(answer.remarks)
    assert not pc.inpaint(tmp_path / "run", n=2, **how).save(sheet, overwrite=True).remarks


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ('x    y    name\n1.5  2    "John Smith"\n20   NA Mary\n', ["x", "y", "name"], ["1.5", "2", "John Smith"]),
        ('"a" "b" "kind"\n"1" 2 3.5 "x y"\n"2" 4 5.5 "z"\n', ["", "a", "b", "kind"], ["1", "2", "3.5", "x y"]),
        ("# x y\r\n1 2\r\n\r\n3 4", ["x", "y"], ["1", "2"]),
        ("x\t\ty\n1\t\t2\n3\t4", ["x", "y"], ["1", "2"]),
        ("a b\n1,5 2\n3,5 4,25\n", ["a", "b"], ["1,5", "2"]),
        ("  town   kind\n  Ulm    'a b'\n  Rom    it's\n", ["town", "kind"], ["Ulm", "a b"]),
        ("full name\nJohn Smith\nMary Jones\n", ["full name"], ["John Smith"]),
        ("comment\nvery good\nbad\n", ["comment"], ["very good"]),
        ("weight kg\n1\n2\n", ["weight kg"], ["1"]),
        ("a b\tc d\n1 2\t3 4\n", ["a b", "c d"], ["1 2", "3 4"]),
    ],
)
def test_white_space_separates_cells_where_nothing_else_does(tmp_path, text, names, first):
    path = tmp_path / "t.dat"
    path.write_text(text)
    cells = read_cells(path)
    assert cells.names == names
    assert [column.cell(0) for column in cells.columns] == first
    assert ("cells are separated by white space." in cells.notes) == (len(names) > 1 and " " not in names[0])


def test_a_line_of_another_length_is_named_where_white_space_separates(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b\n" + "1 2\n" * 9 + "3 4 5\n")
    with pytest.raises(DataError, match="line 11: 2 cells are needed, as in the header, not 3"):
        read_cells(path)


@pytest.mark.parametrize(
    ("text", "encoding", "note"),
    [
        ("이름,도시\n김서연 A,부산\n이도윤,서울\n", "cp949", "Korean"), ("名前,都市\n東京,大阪\n", "cp932", "Japanese"),
        ("имя,город\nАнна,Москва\n", "cp1251", "Cyrillic"), ("姓名,城市\n王伟,上海\n", "gb18030", "Chinese"),
        ("größe,été\nÄÖÜ,señor\n", "cp1252", "Western"), ("à,ß\né,ÇÉÈÊ\n", "cp1252", "Western"),
        ("größe,b\n1,2\n", "utf-32", None), ("größe,b\n1,2\n", "utf-16", None),
    ],
)  # fmt: skip
def test_a_text_is_read_in_the_encoding_in_which_its_words_are_words(tmp_path, text, encoding, note):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    cells = read_cells(path)
    assert [cells.names, [column.cell(0) for column in cells.columns]] == [
        line.split(",") for line in text.splitlines()[:2]
    ]
    assert bool(cells.notes) == (note is not None)
    assert note is None or note in cells.notes[0]


@pytest.mark.parametrize(
    ("head", "row", "told"),
    [
        ("8,r,0.68", "3,r,1.5", True), ("8,2020-01-31", "9,2021-01-31", True), ("$8,p,12 %", "$3,p,9 %", True),
        ("red,big", "red,big", True), ("1,2", "a,1", False), ("red,size", "red,big", False), ("a,b", "x,y", False),
        ("a,2019,2020", "x,1,2", False), ("a,2019", "x,1", False), ("0,1,2", "5,6,7", False), (",4.5", "1,2", False),
    ],
)  # fmt: skip
def test_a_first_line_that_reads_like_a_row_is_told(tmp_path, head, row, told):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([head, *[row] * 5]))
    assert any("reads like a row" in note for note in read_cells(path).notes) == told
    path.write_text("1,1,a\n2,3,a\n")
    with pytest.raises(DataError, match=r"found '1' twice; line 1 \(1, 1, a\) is taken for the names"):
        read_cells(path)


def test_names_may_have_lines_of_their_own_and_lines_are_counted_on(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\n"a\nb",c\n1,p\n2,q\n')
    cells = read_cells(path)
    assert (cells.names, cells.rows, cells.place(1)) == (["a\nb", "c"], 2, "line 5")
    assert stored([path], "t.csv", tmp_path / "t.parquet").take(np.arange(2)).columns[0].cell(0) == "1"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"\x1f\x8b\x08\0", r"is packed \(gzip\)"), ("t.csv.gz", b"\x1f\x8b", "is packed; unpack it"),
        ("t.json", b"[]", "another kind; save it as .csv"), ("t.csv", b"a,b", "has column names but no rows"),
        ("t.csv", b"a,b\n1,2\n\0,3\n", "line 3 holds a NUL byte"),
        ("t.csv", b"# made by x\na,b\n1,2\n", "line 2: 1 cells .* not 2. Line 1 is taken for the header"),
        ("t.csv", b'a,b\n1,2\n"1,2\n1,2\n1,2\n', "line 3: .* A quote that is opened there ends in line 5"),
        ("t.csv", b'a,b\n1,2\n1,"2\n1,2\n1,2\n', "line 3: a quote is opened there and never closed"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_such_table_is_refused_with_the_reason(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        pc.data(tmp_path / name)
