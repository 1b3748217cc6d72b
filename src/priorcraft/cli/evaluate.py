"""`priorcraft evaluate SAMPLES DATA`."""

from typing import Annotated, Any

from priorcraft.cli.options import Flag, Reading


def evaluate(
    samples: str,
    data: str,
    *,
    seed: int = 0,
    reading: Reading | None = None,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Judge samples of any origin beside the data that they should look like; no model is needed.

    Args:
        samples: An .npz, a folder of images or a .csv in the form of the data; labels are the classes asked for.
        data: The real data: a name from `priorcraft data`, a folder, or an .npz, .npy or .csv file.
        seed: Of every random draw.
        json: Print one JSON object.
    """
    from priorcraft import verbs
    from priorcraft.cli import say
    from priorcraft.cli.show import print_json, print_table

    answer = verbs.evaluate(samples, data, seed=seed, reading=reading.given() if reading else None)
    if json:
        print_json(answer)
        return
    for note in answer["notes"]:
        say(f"Note: {note}")
    print_table(lines(answer), title=f"{answer['n']:,} samples")


def lines(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """One line a number, with what it has to be read beside."""
    told, copied = answer["two_sample"], answer["copies"]
    floor = told["floor"] and f"real against real: {told['floor'][0]:.3f} to {told['floor'][1]:.3f}"
    found = f"disguised copies found: {copied['control']:.0%}"
    rows = [
        ("two-sample AUC", told["auc"], floor, told["verdict"]),
        ("copies of training rows", copied["share"], found, copied["verdict"]),
    ]
    if answer["fidelity"] is not None:
        rows.append(("class fidelity", answer["fidelity"], f"real test rows: {answer['judge']:.3f}", None))
    if answer["sharpness"] is not None:
        rows.append(("sharpness", answer["sharpness"], "real images: 1", None))
    return [dict(zip(("number", "value", "beside", "verdict"), row, strict=True)) for row in rows]
