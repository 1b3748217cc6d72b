"""`priorcraft models` and `priorcraft data`."""

from pathlib import Path
from typing import Annotated

from priorcraft.cli.options import Flag, Reading


def models(*, json: Annotated[bool, Flag] = False) -> None:
    """The models by name, and what is known of their density.

    Args:
        json: Print one JSON array.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json, print_table

    (print_json if json else print_table)(verbs.models())


def data(
    source: str | None = None,
    *,
    out: Path | None = None,
    seed: int = 0,
    reading: Reading | None = None,
    json: Annotated[bool, Flag] = False,
) -> None:
    """The built-in data sets, and the forms that your own may have; or what some data turn out to be.

    Args:
        source: Look at these data: what is found in them, and how they are divided.
        out: Write their images as files into this new folder, below train, valid and test.
        seed: Of the division.
        json: Print one JSON value.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_answer, print_json, print_table

    answer = verbs.data(source, out=out, seed=seed, reading=reading.given() if reading else None)
    if json or source is None:
        (print_json if json else print_table)(answer)
        return
    shown = {key: value for key, value in answer.items() if key not in ("notes", "classes")}
    print_answer(shown | {"classes": ", ".join(answer["classes"]) or "none"})
    for note in answer["notes"]:
        print(f"note: {note}")
