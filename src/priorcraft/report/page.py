"""One page that holds a whole comparison: opens from disk, asks nothing of the network."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import torch
from jinja2 import Environment
from torch import Tensor

import priorcraft
from priorcraft import runtime
from priorcraft.answer import Kind
from priorcraft.core import Space
from priorcraft.datasets.splits import Rows, Splits
from priorcraft.metrics.classification import Contest
from priorcraft.report.advice import Advice, in_words
from priorcraft.report.classifiers import accuracy_picture, reliability_picture
from priorcraft.report.compared import Compared
from priorcraft.report.curves import critic_view, learning_curve
from priorcraft.report.grid import picture
from priorcraft.report.verdicts import family_notes

PER_CLASS = 8  # samples of a class in a grid
COLUMNS = 20  # classes or columns in a grid at most


@dataclass(frozen=True)
class Shown:
    """Rows as a page shows them: a picture, or the lines of a table.

    Args:
        picture: address of a PNG, or None.
        header, rows: of a table.
    """

    picture: str | None
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def render(
    models: Sequence[Compared],
    splits: Splits,
    real: Rows,
    *,
    advice: Sequence[Advice],
    baselines: Mapping[str, float],
    contest: Contest | None,
    seconds: float,
    command: str,
) -> str:
    """The page as HTML.

    Args:
        models: that are compared.
        splits: the data.
        real: test rows, as many as there are samples of each model.
        advice: which model to take for what.
        baselines: bits/dim of what has to be beaten, by name.
        contest: classifiers beside each other, of labelled data.
        seconds: that the comparison took.
        command: how to repeat it.
    """
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("priorcraft.report") / "page.html.j2").read_text("utf-8"))
    dense = [c for c in contest.classifiers if isinstance(c.kind, Kind)] if contest else []
    return template.render(
        models=models,
        data=splits,
        seconds=seconds,
        baselines={name: Kind.EXACT.mark(bits, ".3f") for name, bits in baselines.items()},
        real=shown(real.x, real.y, splits),
        samples={model.name: shown(model.samples, real.y, splits) for model in models},
        curves={model.name: embedded(learning_curve(model.events, model.family)) for model in models},
        critics={model.name: embedded(critic_view(model.events)) for model in models},
        families=family_notes(models),
        advice=in_words(advice),
        tasks=list(zip(*(model.completions for model in models), strict=True)),
        contest=contest,
        reliability=embedded(reliability_picture(dense)) if dense else None,
        learned=embedded(accuracy_picture(contest.curve)) if contest and contest.curve else None,
        draws=next((model.score.samples for model in models if model.score.samples), "several"),
        classes=splits.classes[:COLUMNS],
        embedded=embedded,
        unit="nats" if splits.space.levels is None else "bits/dim",
        command=command,
        version=priorcraft.__version__,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )


def shown(x: Tensor, labels: Tensor | None, splits: Splits) -> Shown:
    """Rows as a picture, or some of those of a table."""
    if splits.columns is None:
        return Shown(embedded(by_class(x, labels, splits.space)))
    some = torch.linspace(0, len(x) - 1, min(PER_CLASS, len(x))).long()
    names = None if labels is None else [splits.classes[c] if c >= 0 else "" for c in labels[some].tolist()]
    cells = splits.columns.cells(x[some].numpy(), names, runtime.keyed("cells"))
    return Shown(None, splits.columns.header, cells)


def by_class(x: Tensor, labels: Tensor | None, space: Space) -> bytes:
    """A grid with one column a class, or of the first rows without classes; PNG."""
    if labels is None or not bool((labels >= 0).any()):
        return picture(x[: PER_CLASS * 10], space, 10)
    names = [c for c in labels.unique().tolist() if c >= 0][:COLUMNS]
    columns = [x[labels == c][:PER_CLASS] for c in names]
    height = min(len(column) for column in columns)
    return picture(torch.stack([column[:height] for column in columns], 1).flatten(0, 1), space, len(columns))


def embedded(image: bytes | None) -> str | None:
    """A PNG as a data: address."""
    return None if image is None else "data:image/png;base64," + b64encode(image).decode()
