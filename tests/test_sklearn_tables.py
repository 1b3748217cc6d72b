"""The estimators of tables obey scikit-learn's contract, on mixed frames with holes of pandas and polars, too."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

from priorcraft.errors import DataError, NoDensity
from priorcraft.sklearn import PriorClassifier, PriorDensity, PriorImputer, PriorSampler

TREE: Any = {"model": "chow-liu", "steps": 2}


@parametrize_with_checks([kind(**TREE) for kind in (PriorImputer, PriorClassifier, PriorSampler, PriorDensity)])
def test_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def mixed(n=120) -> tuple[Any, Any]:
    """Ages that say the trade, a truth, a day, whole numbers that may be missing, and holes in all of them."""
    rng = np.random.default_rng(0)
    old = rng.random(n) < 0.5
    frame = pd.DataFrame(
        {
            "age": np.where(old, rng.normal(60, 4, n), rng.normal(25, 3, n)).round(1),
            "trade": pd.Categorical(np.where(old, "smith", "clerk"), ["clerk", "smith", "unused"]),
            "owns": old | (rng.random(n) < 0.1),
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, n), "D"),
            "children": pd.array(rng.integers(0, 4, n), "Int64"),
        },
        index=[f"r{i}" for i in range(n)],
    )
    frame["owns"] = frame["owns"].astype("boolean")
    for i, name in enumerate(frame.columns):
        frame.loc[frame.index[i::20], name] = pd.NA if name != "day" else pd.NaT
    return frame, np.where(old, "old", "young")


def test_pandas_in_pandas_out_with_types_index_and_all_seen_cells():
    X, _ = mixed()
    whole = PriorImputer(**TREE).fit_transform(X)
    assert whole.dtypes.to_dict() == X.dtypes.to_dict()
    assert list(whole.index) == list(X.index)
    assert not whole.isna().any().any()
    for name in X.columns:
        there = X[name].notna()
        assert (whole[name][there] == X[name][there]).all()
    hidden = X["trade"].isna() & X["age"].notna()
    assert (whole["trade"][hidden] == np.where(X["age"][hidden] > 40, "smith", "clerk")).all()
    drawn = PriorSampler(**TREE).fit(X).sample(50)
    assert drawn.dtypes.to_dict() == X.dtypes.to_dict()


def test_polars_in_polars_out():
    X, _ = mixed()
    frame = pl.from_pandas(X)
    whole = PriorImputer(**TREE).fit_transform(frame)
    assert isinstance(whole, pl.DataFrame)
    assert whole.schema == frame.schema
    assert whole.null_count().sum_horizontal().item() == 0
    assert PriorSampler(**TREE).fit(frame).sample(5).schema == frame.schema


def test_set_output_decides_what_comes_out():
    X, _ = mixed()
    imputer: Any = PriorImputer(**TREE).fit(X)
    assert isinstance(imputer.set_output(transform="polars").transform(X), pl.DataFrame)
    array = np.array([[1.0, np.nan], [2.0, 2.0], [3.0, 3.0], [1.0, 1.0]])
    found = PriorImputer(**TREE).set_output(transform="pandas").fit_transform(array)
    assert list(found.columns) == ["x0", "x1"]
    assert list(imputer.get_feature_names_out()) == list(X.columns)


def test_in_pipelines_and_column_transformers():
    X, y = mixed()
    columns = ColumnTransformer(
        [("numbers", PriorImputer(**TREE), ["age", "children"]),
         ("words", make_pipeline(PriorImputer(**TREE), OneHotEncoder()), ["trade"])]
    )  # fmt: skip
    assert make_pipeline(columns, LogisticRegression()).fit(X, y).score(X, y) > 0.95
    assert make_pipeline(PriorImputer(**TREE), PriorClassifier(**TREE)).fit(X, y).score(X, y) > 0.95


@pytest.mark.parametrize("of", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_a_classifier_sums_over_holes_and_takes_words_that_are_new(of):
    X, y = mixed()
    classifier = PriorClassifier(**TREE).fit(of(X), y)
    assert classifier.score(of(X), y) > 0.95
    assert list(classifier.classes_) == ["old", "young"]
    new = X[:1].assign(trade="diver", age=np.nan, owns=True)
    p = classifier.predict_proba(of(new.assign(trade=new["trade"].astype("category"))))
    assert p.shape == (1, 2)
    assert p[0, 0] > 0.5
    nothing = X[:1].copy()
    nothing.loc[:] = [[np.nan, np.nan, pd.NA, pd.NaT, pd.NA]]
    assert np.allclose(classifier.predict_proba(of(nothing)), [[np.mean(y == "old"), np.mean(y == "young")]], atol=0.01)


def test_the_density_of_numbers_integrates_to_one():
    x = np.random.default_rng(0).normal(size=(300, 1)).round(2)
    density = PriorDensity(**TREE).fit(x)
    grid = np.arange(-2000, 2000)[:, None] / 100
    assert abs(np.exp(density.score_samples(grid)).sum() / 100 - 1) < 0.01


def test_what_cannot_be_is_said():
    X, _ = mixed()
    with pytest.raises(DataError, match="2 classes"):
        PriorClassifier(**TREE).fit(X, np.zeros(len(X)))
    with pytest.raises(NoDensity, match="no exact density"):
        PriorDensity("vae", steps=1).fit(X.fillna({"age": 1.0})).score(X)
    with pytest.raises(ValueError, match="feature names"):
        PriorDensity(**TREE).fit(X).score(X.rename(columns={"age": "years"}))
