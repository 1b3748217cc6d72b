"""What can be done, one function a verb: the command line's twins."""

from priorcraft.data import open_data
from priorcraft.io import load
from priorcraft.verbs.bayes import bayes
from priorcraft.verbs.catalogue import data, models
from priorcraft.verbs.compare import compare, demo
from priorcraft.verbs.fit import fit
from priorcraft.verbs.sample import sample
from priorcraft.verbs.score import score

__all__ = ["bayes", "compare", "data", "demo", "fit", "load", "models", "open_data", "sample", "score"]
