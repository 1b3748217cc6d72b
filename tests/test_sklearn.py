"""The estimators obey scikit-learn's contract, and Bayes' theorem."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from priorcraft.errors import UsageError
from priorcraft.sklearn import PPCA, Density, GenerativeClassifier, Mixture, NaiveBayes


@parametrize_with_checks([GenerativeClassifier(), NaiveBayes(), Mixture(), PPCA(), Density()])
def test_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_unlabelled_rows_teach_the_classifier():
    X, y = load_iris(return_X_y=True)
    few = np.full(150, -1)
    few[::25] = y[::25]
    classifier = GenerativeClassifier("mixture", settings={"components": 3}, unlabelled=-1).fit(X, few)
    assert set(classifier.classes_) == {0, 1, 2}
    assert classifier.score(X, y) > 0.85


def test_a_prior_moves_the_posterior_and_the_evidence_is_the_sum():
    X, y = load_iris(return_X_y=True)
    classifier = GenerativeClassifier("ppca").fit(X, y)
    moved = GenerativeClassifier("ppca", prior=[0.98, 0.01, 0.01]).fit(X, y)
    assert (moved.predict_proba(X)[:, 0] >= classifier.predict_proba(X)[:, 0] - 1e-9).all()
    joint = classifier.model_.log_joint(classifier._read(X)).numpy()
    assert np.allclose(classifier.score_samples(X), np.logaddexp.reduce(joint, axis=1))


def test_densities_take_part_in_a_search_and_sample_alike():
    X, _ = load_iris(return_X_y=True)
    search = GridSearchCV(Mixture(), {"components": [1, 3]}, cv=3).fit(np.random.default_rng(0).permutation(X))
    assert search.best_params_["components"] == 3
    density = PPCA(2).fit(X)
    assert np.allclose(density.sample(5), density.sample(5))
    assert abs(density.sample(4000).mean(0) - X.mean(0)).max() < 0.15
    with pytest.raises(UsageError, match="closed form"):
        Density("gan", steps=1).fit(X)
