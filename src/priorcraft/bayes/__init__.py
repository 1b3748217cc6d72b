"""The sum rule, the product rule and Bayes' theorem, on log tensors and on tables with names."""

from priorcraft.bayes.belief import Step, update
from priorcraft.bayes.table import Table
from priorcraft.bayes.theorem import posterior

__all__ = ["Step", "Table", "posterior", "update"]
