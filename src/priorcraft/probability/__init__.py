"""The sum rule, the product rule and Bayes' theorem, on log tensors and on tables with names."""

from priorcraft.probability.belief import Step, update
from priorcraft.probability.table import Table
from priorcraft.probability.theorem import posterior

__all__ = ["Step", "Table", "posterior", "update"]
