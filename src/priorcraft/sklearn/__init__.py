"""scikit-learn estimators: of mixed frames with holes (`Prior...`), and of real-valued arrays.

>>> from sklearn.datasets import load_iris
>>> X, y = load_iris(return_X_y=True, as_frame=True)
>>> bool(PriorClassifier("chow-liu").fit(X, y).score(X, y) > 0.9)
True
"""

from priorcraft.sklearn.real import PPCA, Density, GenerativeClassifier, Mixture, NaiveBayes
from priorcraft.sklearn.tables import PriorClassifier, PriorDensity, PriorImputer, PriorSampler

__all__ = ["PPCA", "Density", "GenerativeClassifier", "Mixture", "NaiveBayes", "PriorClassifier", "PriorDensity",
           "PriorImputer", "PriorSampler"]  # fmt: skip
