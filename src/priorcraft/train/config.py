"""What a config.json says: the only description of its keys, their types and their ranges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from priorcraft import typed
from priorcraft.core import Finer, Space
from priorcraft.datasets.columns import Columns
from priorcraft.datasets.source import Reading
from priorcraft.errors import UsageError
from priorcraft.settings import Range, Seed

Count = Annotated[int, Range(0, 2**53)]
Side = Annotated[int, Range(1, 2**24)]
Levels = Annotated[int, Range(2, 65_536)]
Value = int | float | bool | str | None
MOST_ENTRIES = 2**24  # of one point


@dataclass(frozen=True)
class SpaceOf:
    """A `Space` on disk."""

    event_shape: tuple[Side, ...]
    levels: Levels | None = None
    sizes: tuple[Levels, ...] = ()
    finer: tuple[Finer, ...] = ()
    unordered: tuple[int, ...] = ()

    def space(self) -> Space:
        """The space itself.

        Raises:
            UsageError: sizes that do not fit, or points too large for any machine.
        """
        space = Space(self.event_shape, self.levels, self.sizes, self.finer, self.unordered)
        if space.dims > MOST_ENTRIES:
            raise UsageError(f"config.json describes points of {space.dims:,} entries, more than {MOST_ENTRIES:,}.")
        return space


@dataclass(frozen=True)
class DataOf:
    """Which data a run was fitted to, and how they were read."""

    source: str
    seed: Seed
    fingerprint: str
    counts: dict[str, Count]
    form: str = "rows"
    reading: Reading = field(default_factory=Reading)
    columns: Columns | None = None
    changed_from: tuple[str, ...] = ()
    in_memory: bool = False


@dataclass(frozen=True)
class BudgetOf:
    """A `Budget` on disk; one of the two."""

    steps: Annotated[int, Range(1, 2**53)] | None = None
    seconds: Annotated[float, Range(0, 1e12, above=True)] | None = None


@dataclass(frozen=True)
class RunConfig:
    """Everything that is needed to build a run's model and objective again.

    Args:
        model, member: the name asked for, and the member of the zoo that it stood for.
        settings: of the model and its objective.
        space, context: where x lives, and the context where that is no label.
        classes: names of the classes.
        rows: in the training part.
        data: which data.
        seed: of every draw.
        budget: how long.
        environment: versions and threads, for people to read.
        shards: parts into which the rows of a step are cut, whoever computes them.
    """

    model: str
    member: str
    settings: dict[str, Value]
    space: SpaceOf
    classes: tuple[str, ...]
    rows: Annotated[int, Range(1, 2**53)]
    data: DataOf
    seed: Seed
    budget: BudgetOf
    environment: dict[str, Any] = field(default_factory=dict)
    context: SpaceOf | None = None
    shards: Annotated[int, Range(1, 2**16)] = 1


def read_config(config: Mapping[str, Any]) -> RunConfig:
    """The config of a run, checked.

    Raises:
        UsageError: a key that is unknown or missing, or a value of another type or range; names its path.
    """
    return typed.read(RunConfig, config, "config.json: config", refuse=UsageError)
