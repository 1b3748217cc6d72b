"""How data are read: the options that `fit` and `compare` share."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """Options of `open_data`.

    Args:
        size: Side of the square that the images of a folder are brought to; at most 64 without it.
        mode: Of a folder: auto reads grey where every image is grey.
        levels: Values of an entry: states it where the data do not, rescales images where they do.
        limit: At most so many rows of each part.
        on_bad_image: Of a folder: skip all that cannot be read, or stop at any; up to 5 % are skipped without it.
    """

    size: int | None = None
    mode: Literal["auto", "grey", "rgb"] = "auto"
    levels: int | None = None
    limit: int | None = None
    on_bad_image: Literal["skip", "error"] | None = None

    def given(self) -> Any:
        """What differs from the defaults."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "auto")}
