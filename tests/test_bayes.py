"""Laws of the sum rule, the product rule and Bayes' theorem on named tables."""

import json
import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import priorcraft as pc
from priorcraft import runtime
from priorcraft.cli import main
from priorcraft.errors import DataError, ImpossibleEvidence, PriorcraftError, UsageError
from priorcraft.probability import Table, posterior, update
from priorcraft.verbs.bayes import bayes

SIZES = {"a": 2, "b": 3, "c": 2}
AXES = {name: tuple(f"{name}{i}" for i in range(size)) for name, size in SIZES.items()}
quick = settings(max_examples=40, deadline=None)
positive = st.lists(st.floats(0.01, 1), min_size=12, max_size=12)


MANY = [str(i) for i in range(4000)]


def joint_of(weights):
    return Table.from_counts(AXES, torch.tensor(weights, dtype=torch.float64).view(2, 3, 2))


def entries(table):
    """Probability of every combination of states, whatever the order of axes and states."""
    keys = (frozenset(zip(table.axes, states, strict=True)) for states in product(*table.axes.values()))
    return dict(zip(keys, table.log_p.exp().flatten().tolist(), strict=True))


def same(left, right):
    return entries(left) == pytest.approx(entries(right), abs=1e-12) and set(left.context) == set(right.context)


@quick
@given(positive)
def test_product_rule(weights):
    joint = joint_of(weights)
    for a, b in (("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])):
        assert same(joint.conditional(a, given=b) * joint.marginal(*b), joint)
        assert same(joint.marginal(*b) * joint.conditional(a, given=b), joint)
        assert same(joint.conditional(*b, given=a) * joint.marginal(a), joint)
    chain = joint.marginal("a") * joint.conditional("b", given="a") * joint.conditional("c", given=["a", "b"])
    assert same(chain, joint)


@quick
@given(positive)
def test_sum_rule(weights):
    joint = joint_of(weights)
    a, b = joint.marginal("a"), joint.marginal("b")
    total = {
        state: sum(joint.conditional("a", given="b").given(b=k).to_dict()[state] * p for k, p in b.to_dict().items())
        for state in AXES["a"]
    }
    assert total == pytest.approx(a.to_dict(), abs=1e-12)
    assert same(joint.sum_over("b").sum_over("c"), a)
    assert same(joint.sum_over("b", "c"), a)
    assert math.fsum(entries(joint.marginal("a", "c")).values()) == pytest.approx(1)


@quick
@given(positive)
def test_bayes_theorem(weights):
    joint = joint_of(weights)
    prior, likelihood = joint.marginal("a"), joint.conditional("b", given="a")
    for state in AXES["b"]:
        after = {a: likelihood.given(a=a).to_dict()[state] * p for a, p in prior.to_dict().items()}
        evidence = sum(after.values())
        expected = {a: p / evidence for a, p in after.items()}
        assert joint.marginal("a", "b").given(b=state).to_dict() == pytest.approx(expected, abs=1e-12)
        (step,) = update(joint, "a", {"b": state})
        assert step.posterior.to_dict() == pytest.approx(expected, abs=1e-12)
        assert step.likelihood == pytest.approx(
            {a: likelihood.given(a=a).to_dict()[state] for a in AXES["a"]}, abs=1e-12
        )
        assert step.evidence == pytest.approx(joint.probability(b=state)) == pytest.approx(evidence)


@quick
@given(positive, st.integers(0, 2), st.integers(0, 1))
def test_the_order_of_evidence_changes_the_way_and_not_the_end(weights, b, c):
    joint, evidence = joint_of(weights), {"b": f"b{b}", "c": f"c{c}"}
    one, other = (update(joint, "a", dict(e)) for e in (evidence.items(), reversed(evidence.items())))
    assert [s.given for s in one] == [s.given for s in other][::-1] == [{n: s} for n, s in evidence.items()]
    assert same(one[-1].posterior, other[-1].posterior)
    assert same(one[-1].posterior, joint.given(evidence))
    assert same(one[1].prior, one[0].posterior)
    for steps in (one, other):
        assert math.prod(s.evidence for s in steps) == pytest.approx(joint.probability(evidence))


@quick
@given(st.lists(st.integers(0, 2), min_size=12, max_size=12).filter(any), st.integers(0, 2), st.integers(0, 1))
def test_zeros_raise_or_give_no_nan(weights, b, c):
    joint, evidence = joint_of(weights), {"b": f"b{b}", "c": f"c{c}"}
    if joint.probability(evidence) == 0:
        with pytest.raises(ImpossibleEvidence, match="= 0"):
            joint.given(evidence)
        with pytest.raises(ImpossibleEvidence, match="= 0"):
            update(joint, "a", evidence)
        return
    for step in update(joint, "a", evidence):
        assert math.fsum(step.posterior.to_dict().values()) == pytest.approx(1)
        impossible = [state for state, p in step.prior.to_dict().items() if p == 0]
        assert [state for state, p in step.likelihood.items() if p is None] == impossible


def test_axes_are_matched_by_name_and_states_by_name():
    prior = Table.from_p({"b": ["y", "x"]}, [0.3, 0.7])
    likelihood = Table.from_p({"a": "01", "b": "xy"}, [[0.2, 0.6], [0.8, 0.4]], context=["b"])
    for joint in (prior * likelihood, likelihood * prior):
        assert joint.probability(a="0", b="x") == pytest.approx(0.14)
        assert joint.probability(a="0", b="y") == pytest.approx(0.18)
        assert joint.formula in ("p(b, a)", "p(a, b)")


def test_tiny_probabilities_do_not_underflow():
    log_p = torch.tensor([[-2000.0, -2001.0], [math.log(0.5), math.log(0.5)]])
    belief = Table({"e": ["seen", "not"], "h": "01"}, log_p).given(e="seen")
    assert belief.to_dict()["0"] == pytest.approx(1 / (1 + math.exp(-1)))


def test_posterior_takes_batches():
    generator = runtime.keyed(0, "bayes")
    prior, likelihood = torch.rand(3, 1, 5, generator=generator), torch.rand(4, 5, generator=generator)
    log_post, log_e = posterior(prior.log(), likelihood.log())
    assert log_post.shape == (3, 4, 5)
    assert torch.allclose(log_post.exp(), prior * likelihood / (prior * likelihood).sum(-1, keepdim=True))
    assert torch.allclose(log_e.exp(), (prior * likelihood).sum(-1))


def test_pgmpy_agrees():
    factors = pytest.importorskip("pgmpy.factors.discrete")
    models = pytest.importorskip("pgmpy.models")
    inference = pytest.importorskip("pgmpy.inference")
    states = {"rain": ["no", "yes"], "sprinkler": ["off", "on"], "grass": ["dry", "damp", "wet"]}
    rain = Table.from_p({"rain": states["rain"]}, [0.8, 0.2])
    sprinkler = Table.from_p(
        {n: states[n] for n in ("sprinkler", "rain")}, [[0.6, 0.99], [0.4, 0.01]], context=["rain"]
    )
    p = torch.rand(3, 2, 2, generator=runtime.keyed(1, "grass"), dtype=torch.float64)
    p = p / p.sum(0)
    grass = Table.from_p({n: states[n] for n in ("grass", "sprinkler", "rain")}, p, context=["sprinkler", "rain"])

    network = models.DiscreteBayesianNetwork([("rain", "sprinkler"), ("rain", "grass"), ("sprinkler", "grass")])
    tables = {"rain": rain, "sprinkler": sprinkler, "grass": grass}
    for name, table in tables.items():
        behind = [n for n in table.axes if n != name]
        values = table.log_p.exp().reshape(len(states[name]), -1).tolist()
        sizes = [len(states[n]) for n in behind]
        names = {n: states[n] for n in table.axes}
        network.add_cpds(factors.TabularCPD(name, len(states[name]), values, behind, sizes, state_names=names))
    oracle = inference.VariableElimination(network)

    joint = rain * sprinkler * grass
    for evidence in ({}, {"grass": "damp"}, {"grass": "wet", "sprinkler": "on"}, {"sprinkler": "off", "grass": "dry"}):
        answer = oracle.query(["rain"], evidence=evidence, show_progress=False)
        expected = {state: answer.get_value(rain=state) for state in states["rain"]}
        steps = update(joint, "rain", evidence)
        mine = steps[-1].posterior if steps else joint.marginal("rain")
        assert mine.to_dict() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Table.from_p({"a": "01"}, [0.5, 0.4]), DataError, r"p\(a\) sums to 0.9 over a"),
        (lambda: Table.from_p({"a": "01", "b": "01"}, [[1, 0.5], [0, 0.4]], ["b"]), DataError, "sums to 0.9 over a"),
        (lambda: Table({"a": "01"}, torch.tensor([math.nan, 0.0])), DataError, "sums to nan"),
        (lambda: Table.from_p({"a": "01"}, [1.5, -0.5]), DataError, "at least 0; found -0.5"),
        (lambda: Table.from_counts({"a": "01"}, [1, math.nan]), DataError, "found nan"),
        (lambda: Table.from_counts({"a": "01"}, [1, math.inf]), DataError, "found inf"),
        (lambda: Table.from_counts({"a": "01"}, [0, 0]), DataError, "must be positive"),
        (lambda: Table.from_counts({"a": "01"}, ["x", "y"]), DataError, "needs numbers"),
        (lambda: Table.from_counts({"a": "01"}, [[1, 2], [3]]), DataError, "equal length"),
        (lambda: Table.from_counts({"a": "01"}, [1, 2, 3]), DataError, r"must have shape \(2,\), not \(3,\)"),
        (lambda: Table.from_counts({"a": "00"}, [1, 2]), DataError, "each once"),
        (lambda: Table.from_counts({"a": ()}, []), DataError, "at least one state"),
        (lambda: Table.from_counts({"a": "01"}, [1, 1], ["b"]), UsageError, "no variable 'b'"),
        (lambda: Table.from_counts({"a": "01"}, [1, 1], ["a"]), DataError, "in front of the bar"),
        (lambda: Table.from_counts({}, 1.0), DataError, "in front of the bar"),
        (
            lambda: Table.from_counts({"a": "01", "b": "01"}, [[1, 0], [1, 0]], ["b"]),
            ImpossibleEvidence,
            r"p\(b=1\) = 0",
        ),
    ],
)
def test_tables_that_cannot_be(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


@pytest.mark.parametrize(
    ("ask", "error", "sentence"),
    [
        (lambda t: t.given(tset="+"), UsageError, "did you mean 'test'"),
        (lambda t: t.given(test="pos"), UsageError, "'test' has no state 'pos'"),
        (lambda t: t.given(test=1), UsageError, "'test' has no state '1'"),
        (lambda t: t.given(test="+", disease="yes"), UsageError, "leave one"),
        (lambda t: t.marginal("diseas"), UsageError, "did you mean 'disease'"),
        (lambda t: t.marginal(), UsageError, "leaves no variable"),
        (lambda t: t.conditional("test", given="test"), UsageError, "both sides of the bar"),
        (lambda t: t.conditional("test", given="disease").sum_over("disease"), UsageError, "over its context"),
        (lambda t: t.conditional("test", given="disease").probability(test="+"), UsageError, "a state of disease"),
        (lambda t: t.to_dict(), UsageError, "one variable"),
        (lambda t: update(t, "disease", {"disease": "yes"}), UsageError, "asked about and given"),
        (lambda t: update(t, "disease", {"test": "?"}), UsageError, "no state"),
        (lambda t: update(t.conditional("test", given="disease"), "test", {}), UsageError, "joint table"),
        (lambda t: t * t, UsageError, "not a probability"),
        (
            lambda t: t.conditional("test", given="disease") * t.conditional("disease", given="test"),
            UsageError,
            "without a circle",
        ),
        (
            lambda t: t.conditional("test", given="disease") * Table.from_p({"disease": ["ja", "nein"]}, [0.5, 0.5]),
            DataError,
            "yes, no in one table and ja, nein",
        ),
        (
            lambda t: Table.from_p({"x": MANY}, [1 / 4000] * 4000) * Table.from_p({"y": MANY}, [1 / 4000] * 4000),
            DataError,
            "too large",
        ),
    ],
)
def test_questions_that_cannot_be(ask, error, sentence):
    table = Table.from_counts({"disease": ["yes", "no"], "test": ["+", "-"]}, [[9, 1], [50, 940]])
    with pytest.raises(error, match=sentence):
        ask(table)


def test_print_and_html():
    table = Table.from_counts({"<a>": ["x", "y"], "b": [str(i) for i in range(20)]}, torch.ones(2, 20))
    text, html = repr(table).splitlines(), table._repr_html_()
    assert text[0] == "p(<a>, b)"
    assert text[1].split() == ["<a>", "b", "p"]
    assert text[2].split() == ["x", "0", "0.025"]
    assert text[-1].endswith("16 more")
    assert "<a>" not in html
    assert "&lt;a&gt;" in html


DISEASE = "disease,test,count\nyes,positive,9\nyes,negative,1\nno,positive,50\nno,negative,940\n"


@pytest.fixture
def csv(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        DISEASE,
        DISEASE.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + DISEASE.replace(",", ";").encode(),
        DISEASE.replace(",", "\t"),
        DISEASE.replace(",", " , ") + "\n\n",
        DISEASE.replace("test", '"test"').replace("positive", '"positive"'),
        DISEASE.replace("count", "p").replace(",9\n", ",0.009\n").replace(",1\n", ",0.001\n")
        .replace(",50\n", ",0.050\n").replace(",940\n", ",0.940\n"),
        "disease;test;p\nyes;positive;0,009\nyes;negative;0,001\nno;positive;0,05\nno;negative;0,94\n",
        "disease,test\n" + "yes,positive\n" * 9 + "yes,negative\n" + "no,positive\n" * 50 + "no,negative\n" * 940,
        "disease,test,note,count\nyes,positive,a,4\nyes,positive,b,5\nyes,negative,,1\n"
        "no,positive,a,50\nno,negative,a,940\n,,,\n",
    ],
)  # fmt: skip
def test_every_way_to_write_one_table(csv, text):
    answer = bayes(csv(text), query="disease", given=["test=positive"])
    assert answer.query == "disease"
    assert answer.prior == pytest.approx({"yes": 0.01, "no": 0.99})
    assert answer.evidence == pytest.approx(0.059)
    assert answer.posterior == pytest.approx({"yes": 9 / 59, "no": 50 / 59})
    (step,) = answer.steps
    assert step.given == {"test": "positive"}
    assert step.likelihood == pytest.approx({"yes": 0.9, "no": 50 / 990})
    assert step.evidence == pytest.approx(0.059)
    assert step.posterior == answer.posterior
    assert json.loads(answer.to_json()) == answer.to_dict()


P = "disease,test,p\nyes,positive,{}\nyes,negative,0.1\nno,positive,0.2\nno,negative,0.3\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("\r\n \r\n", "is empty"),
        ('""\n,,\n', "is empty"),
        ("disease,test,count\n", "no rows"),
        ("count\n3\n", "no column but count"),
        ("disease,test,disease\na,b,c\n", "found 'disease' twice"),
        ("disease,,test\na,b,c\n", "a column without a name"),
        ("disease,test,count,p\na,b,1,1\n", "both a column count and a column p"),
        (P.format("0.38"), r"sums to 0.98, not to 1; correct it, or name the column count"),
        (P.format("-0.4"), "line 2: p must be .* not '-0.4'"),
        (P.format("nan"), "line 2: p must be .* not 'nan'"),
        (P.format("inf"), "line 2: p must be .* not 'inf'"),
        (P.format("many"), "line 2: p must be .* not 'many'"),
        (P.format(""), "line 2: p must be .* not ''"),
        (DISEASE.replace("940", "-1"), "line 5: count must be"),
        (DISEASE + "yes,positive,3\n", "line 6: the same states as line 2; merge"),
        (DISEASE.replace("no,positive", "no,"), "line 4: 'test' is empty"),
        (DISEASE.replace("no,positive", "no"), "line 4: 3 cells are needed, as in the header, not 2"),
        (DISEASE.replace("9", "0").replace("1", "0").replace("50", "0").replace("40", "0"), "must be positive"),
        ('disease,test\nyes,"positive\nno,negative\n', "not a table of comma-separated values"),
        ("disease,test\nyes," + "x" * 200_000 + "\n", "not a table of comma-separated values"),
        (b"\xff\xfed\x00i\x00", "not UTF-8"),
        ("disease,test\n" + "".join(f"{i},{i}\n" for i in range(4000)), "1.6e[+]07 cells is too large"),
    ],
)
def test_bad_files_name_the_line_and_the_remedy(csv, text, sentence):
    with pytest.raises(DataError, match=sentence) as e:
        bayes(csv(text), query="disease", given={"test": "positive"})
    assert e.value.exit_code == 3
    assert isinstance(e.value, ValueError)


def test_many_columns_are_refused_as_a_whole_and_read_in_part(csv):
    names = ",".join(f"v{i}" for i in range(200_000))
    path = csv(f"{names}\n" + ",".join("x" * 200_000) + "\n")
    with pytest.raises(DataError, match="200000 variables"):
        Table.from_csv(path)
    assert Table.from_csv(path, variables=["v7"]).to_dict() == {"x": 1.0}


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"query": "desease"}, UsageError, "did you mean 'disease'"),
        ({"query": "disease", "given": ["tset=positive"]}, UsageError, "did you mean 'test'"),
        ({"query": "disease", "given": ["test=postive"]}, UsageError, "did you mean 'positive'"),
        ({"query": "disease", "given": ["test"]}, UsageError, "variable=state"),
        ({"query": "disease", "given": ["=positive"]}, UsageError, "variable=state"),
        ({"query": "disease", "given": ["disease=yes"]}, UsageError, "asked about and given"),
        ({"query": "disease", "given": ["test=positive", "test=negative"]}, UsageError, "names 'test' twice"),
        ({"query": "count"}, UsageError, "no variable 'count'"),
        ({"query": "test", "given": ["disease=perhaps"]}, ImpossibleEvidence, r"p\(disease=perhaps\) = 0"),
    ],
)
def test_bad_questions(csv, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        bayes(csv(DISEASE + "perhaps,positive,0\n"), **arguments)


@pytest.mark.parametrize(("plot", "sentence"), [("a.txt", "must end in .png"), ("nowhere/a.png", "no folder nowhere")])
def test_a_picture_that_cannot_be_written_is_refused(csv, plot, sentence):
    with pytest.raises(UsageError, match=sentence):
        bayes(csv(DISEASE), query="disease").save(plot, "plot")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_path_that_cannot_be_read(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read"):
        bayes(tmp_path / name, query="disease")


def test_data_frames_count_like_files(csv):
    pandas = pytest.importorskip("pandas")
    path = csv(DISEASE)
    frame = pandas.read_csv(path)
    assert same(Table.from_frame(frame), Table.from_csv(path))
    assert same(Table.from_frame(frame.astype({"disease": "category"})), Table.from_csv(path))
    frame.loc[2, "test"] = None
    with pytest.raises(DataError, match="row 3: 'test' is empty"):
        Table.from_frame(frame)
    with pytest.raises(DataError, match="'x' twice"):
        Table.from_frame(pandas.DataFrame([[1, 2]], columns=["x", "x"]))
    with pytest.raises(DataError, match="no rows"):
        Table.from_frame(frame[:0])


def test_a_state_ruled_out_stays_out_without_nan(csv):
    path = csv("h,e,f\na,1,1\na,1,0\nb,0,1\nc,1,1\n")
    answer = bayes(path, query="h", given=["e=1", "f=1"])
    assert answer.steps[1].likelihood == pytest.approx({"a": 0.5, "b": None, "c": 1.0})
    assert answer.posterior == pytest.approx({"a": 0.5, "b": 0.0, "c": 0.5})


def test_the_command_prints_the_four_words_and_the_belief_after_each_piece(csv, capsys):
    text = "h[red],e,f,count\n[bold]x,1,1,6\n[bold]x,0,1,2\ny,1,0,1\ny,1,1,1\n"
    main(["bayes", str(csv(text)), "--query", "h[red]", "--given", "e=1", "--given", "f=1"])
    out = capsys.readouterr().out
    for word in ("prior", "likelihood", "posterior", "evidence p(e=1) = 0.8", "p(f=1 | e=1) = 0.875", "h[red]"):
        assert word in out
    (last,) = (line for line in out.split("belief after each piece")[1].splitlines() if "[bold]x" in line)
    assert last.replace("│", " ").split() == ["[bold]x", "0.8", "0.75", "0.8571"]
    assert "\x1b" not in out


def test_the_command_prints_one_json_object(csv, capsys):
    path = csv(DISEASE)
    main(["bayes", str(path), "--query", "disease", "--given", "test=negative", "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out) == bayes(path, query="disease", given={"test": "negative"}).to_dict()
    assert captured.err == ""


def test_the_plot_never_replaces_a_file_unasked(csv, tmp_path, capsys):
    path, plot = csv(DISEASE.replace("yes", "$x^$")), tmp_path / "belief.png"
    words = ["bayes", str(path), "--query", "disease", "--plot", str(plot)]
    main([*words, "--given", "test=positive"])
    first = plot.read_bytes()
    assert first.startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(words)
    assert "--overwrite" in capsys.readouterr().err
    assert plot.read_bytes() == first
    main([*words, "--overwrite"])
    assert plot.read_bytes() != first


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_no_file_brings_a_foreign_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    try:
        table = Table.from_csv(path)
    except PriorcraftError:
        return
    assert math.fsum(entries(table).values()) == pytest.approx(1)


def test_what_is_empty_is_what_a_fit_takes_as_empty(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sick,test,country,age\nyes,+,NA,30\nno,-,DE,41\nno,?,NA,NA\n")
    with pytest.raises(DataError, match="line 4: 'test' is empty: '\\?' is taken so, 1 times"):
        pc.bayes(path, query="sick", given={"test": "+"})
    assert pc.bayes(path, query="test", empty="-9").prior == pytest.approx({"+": 1 / 3, "-": 1 / 3, "?": 1 / 3})
    assert pc.bayes(path, query="country").prior["NA"] == pytest.approx(2 / 3)  # codes of countries
    with pytest.raises(DataError, match="'age' is empty: 'NA' is taken so"):
        pc.bayes(path, query="age")
    with pytest.raises(DataError, match="'sick' is empty: 'no' is taken so, 2 times"):
        pc.bayes(path, query="sick", empty="no")
