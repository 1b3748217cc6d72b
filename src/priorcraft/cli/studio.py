"""`priorcraft studio [RUN|DATA|FOLDER]`."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from priorcraft.errors import UsageError, did_you_mean

DATA_SETS = ("digits", "mnist", "fashion-mnist")
RUNS = "runs"  # the workspace where none is named


def studio(
    where: str = "digits",
    *,
    port: int = 0,
    browser: bool = True,
    freeze: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Open the studio: a local page on which every idea is moved by hand, on your own data.

    Its first line is the address, with a token that only you know; Ctrl-C ends it, and trainings go on without it.

    Args:
        where: A run folder, a folder of runs, or data; runs are kept in ./runs unless a folder of them is named.
        port: Where to listen; 0 takes 8421 or the next that is free.
        browser: Open the page.
        freeze: Write one offline page of a run instead: a flat-vae, gan, mixture or ppca of small images.
        out: The page that --freeze writes.
        overwrite: Replace it.
    """
    path = Path(where)
    if freeze:
        if out is None:
            raise UsageError("--freeze needs --out page.html.")
        part("freeze").freeze(path, out, overwrite=overwrite)
        return
    folder, data, run = workspace_of(path, where)
    part("server").serve(folder, data=data, run=run, port=port, browser=browser)


def part(name: str) -> Any:
    """A module of the studio, if what it needs is installed."""
    try:
        return import_module(f"priorcraft.studio.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(f"the studio needs {error.name}; pip install 'priorcraft[studio]'.") from None


def workspace_of(path: Path, where: str) -> tuple[Path, str, str | None]:
    """The folder of runs, the data, and the run, that an argument stands for."""
    if (path / "config.json").is_file():
        return path.resolve().parent, "digits", path.resolve().name
    if path.is_dir() and any(path.glob("*/config.json")):
        return path, "digits", None
    if where not in DATA_SETS and not path.exists():
        raise UsageError(f"there is no run, no data set and no path '{where}'; {did_you_mean(where, DATA_SETS)}")
    return Path(RUNS), where, None
