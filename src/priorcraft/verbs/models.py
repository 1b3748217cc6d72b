"""`models`: what there is to choose from."""

from dataclasses import dataclass

from priorcraft import zoo
from priorcraft.answer import Answer, Listing


@dataclass(frozen=True)
class ModelRow(Answer):
    """A model that can be fitted.

    Args:
        name: by which `fit` knows it.
        family: exact, approximate or implicit.
        density: what is known of p(x): log p(x), a lower bound, or none.
        summary: in a few words.
        good_for, rows, size: rules of thumb: for what, with how many rows of the training and entries of a row.
        time, memory: what a training takes on two cores, beside the data.
    """

    name: str
    family: str
    density: str
    summary: str
    good_for: str
    rows: str
    size: str
    time: str
    memory: str


def models() -> Listing:
    """The models by name, and what is known of their density.

    >>> [row.density for row in models().rows if row.name == "gan"]
    ['none']
    """
    return Listing(tuple(ModelRow(**row) for row in zoo.rows()))
