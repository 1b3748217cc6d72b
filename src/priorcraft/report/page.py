"""One page that holds a whole comparison: opens from disk, asks nothing of the network."""

from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import torch
from jinja2 import Environment
from torch import Tensor

import priorcraft
from priorcraft import runtime
from priorcraft.core import Space
from priorcraft.datasets.splits import Splits
from priorcraft.report.classifiers import accuracy_picture, reliability_picture
from priorcraft.report.curves import Events, critic_view, learning_curve
from priorcraft.report.grid import picture
from priorcraft.report.verdicts import family_notes, scored

PER_CLASS = 8  # samples of a class in a grid
COLUMNS = 20  # classes or columns in a grid at most


def render(
    answer: dict[str, Any],
    splits: Splits,
    real: Tensor,
    samples: Sequence[Tensor],
    labels: Tensor | None,
    events: Sequence[Events],
    command: str,
    completions: Sequence[dict[str, Any]] = (),
) -> str:
    """The page as HTML.

    Args:
        answer: what `compare` returns.
        splits: the data.
        real: test rows, (N, *event_shape).
        samples: as many rows from each model.
        labels: the classes of these rows, (N,).
        events: the events of each model's run.
        command: how to repeat the comparison.
        completions: what the models make of the same evidence, as `report.completions` gives it.
    """
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("priorcraft.report") / "page.html.j2").read_text("utf-8"))
    models = [
        result
        | {
            "scored": scored(result),
            "samples": shown(drawn, labels, splits),
            "curve": embedded(learning_curve(happened, result["family"])),
            "critic": embedded(critic_view(happened)),
            "warnings": [e["message"] for e in happened if e["kind"] == "warning"],
            "notes": [e["message"] for e in happened if e["kind"] == "note"],
        }
        for result, drawn, happened in zip(answer["models"], samples, events, strict=True)
    ]
    return template.render(
        answer=answer,
        models=models,
        real=shown(real, labels, splits),
        families=family_notes(answer["models"]),
        classes=splits.classes[:COLUMNS],
        completions=[
            task | {"models": [m | {"picture": embedded(m["picture"])} for m in task["models"]]} for task in completions
        ],
        classification=classification(answer["classification"]),
        unit="nats" if splits.space.levels is None else "bits/dim",
        command=command,
        version=priorcraft.__version__,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
    )


def classification(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The classifiers with their pictures."""
    if found is None:
        return None
    dense = [c for c in found["classifiers"] if c["kind"] != "discriminative"]
    bins, errors = ({c["name"]: c[key] for c in dense} for key in ("reliability", "calibration_error"))
    reliability = reliability_picture(bins, errors) if dense else None
    curve = accuracy_picture(found["curve"]) if found["curve"] else None
    return found | {"reliability": embedded(reliability), "curve": embedded(curve)}


def shown(x: Tensor, labels: Tensor | None, splits: Splits) -> dict[str, Any]:
    """Rows as {"picture"}, or those of a table as {"header", "rows"}."""
    if splits.columns is None:
        return {"picture": embedded(by_class(x, labels, splits.space))}
    some = torch.linspace(0, len(x) - 1, min(PER_CLASS, len(x))).long()
    names = None if labels is None else [splits.classes[c] if c >= 0 else "" for c in labels[some].tolist()]
    cells = splits.columns.cells(x[some].numpy(), names, runtime.keyed("cells"))
    return {"header": splits.columns.header, "rows": cells}


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
