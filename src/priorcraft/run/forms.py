"""The forms that data for a model may have, by the name that a run folder remembers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Unpack

from priorcraft.datasets import Reading, open_data
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.pairs import open_pairs
from priorcraft.datasets.splits import Splits
from priorcraft.errors import UsageError, did_you_mean
from priorcraft.run.domains import open_domains

ROWS, PAIRS, DOMAINS, REVERSED = "rows", "pairs", "domains", "domains reversed"

FORMS: dict[str, Callable[..., Splits]] = {
    ROWS: open_data,
    PAIRS: open_pairs,
    DOMAINS: open_domains,
    REVERSED: partial(open_domains, reverse=True),
}


def open_as(
    form: str, source: str | Path, *, seed: int, columns: Columns | None = None, **reading: Unpack[Reading]
) -> Splits:
    """Opens data in a form, read as asked; a table with the columns of an earlier one, if there are any.

    Raises:
        UsageError: no such form, or what the form's own opener refuses.
    """
    if form not in FORMS:
        raise UsageError(f"there is no form of data '{form}': {did_you_mean(form, FORMS)}")
    return FORMS[form](source, seed=seed, **({} if columns is None else {"columns": columns}), **reading)
