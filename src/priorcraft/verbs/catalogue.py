"""`models` and `data`: what there is to choose from."""

from typing import Any

from priorcraft import zoo
from priorcraft.data import names


def models() -> list[dict[str, str]]:
    """Every model: "name", "family", "density", "summary".

    >>> [row["density"] for row in models() if row["name"] == "gan"]
    ['none']
    """
    return zoo.rows()


def data() -> list[dict[str, Any]]:
    """Every built-in data set and form of data: "name", "summary", "available"."""
    return names()
