"""What every model makes of the same evidence, side by side."""

from collections.abc import Sequence
from typing import Any

from priorcraft.core import Space
from priorcraft.report.completed import Completed, Task
from priorcraft.report.contact import contact_sheet
from priorcraft.report.sheet import Line, sheet


def completions(
    results: Sequence[dict[str, Any]], tasks: Sequence[Task], looks: Sequence[Sequence[Completed]], space: Space
) -> list[dict[str, Any]]:
    """One entry a task: its "title", and "models" with "name", "family", "picture" (PNG or None), "said" and "notes".

    Args:
        results: the models, with "name" and "family".
        tasks: what was seen.
        looks: what each model made of each task.
        space: where images live.
    """
    return [
        {
            "title": task.title,
            "models": [
                {
                    "name": result["name"],
                    "family": result["family"],
                    "picture": strip(look[i], task, space),
                    "said": look[i].said,
                    "notes": look[i].notes,
                }
                for result, look in zip(results, looks, strict=True)
            ],
        }
        for i, task in enumerate(tasks)
    ]


def strip(look: Completed, task: Task, space: Space) -> bytes | None:
    """seen · completions · mean · uncertainty · truth, as PNG; None without an answer."""
    if look.done is None:
        return None
    cells, heads = contact_sheet(look.done, task.seen, task.shown, task.truth, space)
    return sheet("", heads, [Line("", cells[0].unbind(0))], space)
