"""Options that several commands share; each class stands for its fields in a command's line."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

Flag = Parameter(negative=())
Count = Parameter(name=["--n", "-n"])


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How data are read: options of `open_data`.

    Args:
        size: Side of the square that the images of a folder are brought to; at most 64 without it.
        mode: Of a folder: auto reads grey where every image is grey.
        levels: Values of an entry: states it where the data do not, rescales images where they do; bins of a table.
        limit: At most so many rows of each part.
        on_bad_image: Of a folder: skip all that cannot be read, or stop at any; up to 5 % are skipped without it.
        label: Of a table: the column that is the class.
    """

    size: int | None = None
    mode: Literal["auto", "grey", "rgb"] = "auto"
    levels: int | None = None
    limit: int | None = None
    on_bad_image: Literal["skip", "error"] | None = None
    label: str | None = None

    def given(self) -> Any:
        """What differs from the defaults."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "auto")}


@Parameter(name="*")
@dataclass(frozen=True)
class Asking:
    """What every question to a run takes.

    Args:
        seed: Of every random draw: the same seed gives the same answer.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
    """

    seed: int = 0
    device: str = "auto"
    json: Annotated[bool, Flag] = False

    def shared(self) -> dict[str, Any]:
        """What the verb of the same name takes, too."""
        return {name: value for name, value in asdict(self).items() if name != "json"}


@Parameter(name="*")
@dataclass(frozen=True)
class Writing(Asking):
    """What a question takes whose answer is kept in a file.

    Args:
        seed: Of every random draw: the same seed gives the same answer.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object.
        overwrite: Replace files that are there.
    """

    overwrite: Annotated[bool, Flag] = False


@Parameter(name="*")
@dataclass(frozen=True)
class Restoring:
    """What is completed, how often, and where it goes.

    Args:
        n: How many completions of each image.
        draws: How many the mean and the uncertainty are taken over.
        data: Instead of an image: complete the test rows of these data, and compare with the truth.
        limit: Test rows at most.
        given: label=CLASS, if the class is known.
        out: .png for a sheet (seen, completions, mean, uncertainty, truth), .npz for the numbers.
        restored: .png of the first completion alone.
    """

    n: Annotated[int, Count] = 8
    draws: int = 64
    data: str | None = None
    limit: int = 450
    given: Annotated[list[str] | None, Flag] = None
    out: Path | None = None
    restored: Path | None = None

    @property
    def kept(self) -> bool:
        """Whether anything is written, or measured on test rows."""
        return any(value is not None for value in (self.data, self.out, self.restored))

    def shared(self) -> dict[str, Any]:
        """What the verb of the same name takes, too."""
        return asdict(self) | {"given": label_of(self.given)}


@Parameter(name="*")
@dataclass(frozen=True)
class Coding:
    """Whose images become codes z, as of which class.

    Args:
        data: Whose test rows; the run's own data without it.
        given: label=CLASS for all; else the class of the row, or of the nearer of two.
    """

    data: str | None = None
    given: Annotated[list[str] | None, Flag] = None

    def shared(self) -> dict[str, Any]:
        """What the verb of the same name takes, too."""
        return asdict(self) | {"given": label_of(self.given)}


def label_of(given: list[str] | None) -> dict[str, str]:
    """["label=3"] as {"label": "3"}."""
    from priorcraft.cli.show import settings_of

    return settings_of(given or [], "label=3")


def tell(answer: Mapping[str, Any], *, json: bool) -> None:
    """The answer as JSON or line by line."""
    from priorcraft.cli.show import print_answer, print_json

    print_json(answer) if json else print_answer(answer)
