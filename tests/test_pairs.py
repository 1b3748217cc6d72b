"""Pairs in folders: by name whatever the format, by _A and _B, or side by side in one image."""

import numpy as np
import pytest
from PIL import Image

from priorcraft.datasets.pairs import open_pairs
from priorcraft.errors import DataError

LEFT = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), dtype=np.uint8)
RIGHT = 255 - LEFT


def written(place, names_a, names_b):
    for side, names, images in (("A", names_a, LEFT), ("B", names_b, RIGHT)):
        (place / side).mkdir()
        for name, image in zip(names, images, strict=True):
            Image.fromarray(image).save(place / side / name)
    return place


def are_partners(pairs) -> bool:
    return all(bool((rows.partner == 255 - rows.x).all()) for rows in (pairs.train, pairs.valid, pairs.test))


@pytest.mark.parametrize(("ending_a", "ending_b"), [(".png", ".bmp"), ("_A.png", "_B.png"), ("-x.png", "-x.tif")])
def test_partners_have_one_name(tmp_path, ending_a, ending_b):
    stems = [f"{i}" for i in range(19)] + ["1-1"]
    pairs = open_pairs(written(tmp_path, [f"{s}{ending_a}" for s in stems], [f"{s}{ending_b}" for s in stems]))
    assert are_partners(pairs)
    assert pairs.notes[0].startswith("20 pairs by their names, without endings, _A and _B: ")
    assert f"0{ending_a} and 0{ending_b} are partners" in pairs.notes[0]


def test_names_in_two_orders_are_no_pairs(tmp_path):
    stems = [f"{i}" for i in range(19)] + ["1-1"]
    with pytest.raises(DataError, match="not in one order"):
        open_pairs(written(tmp_path, [f"{s}_A.png" for s in stems], [f"{s}.png" for s in stems]))


def test_an_image_twice_as_wide_is_a_pair(tmp_path):
    for i, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        Image.fromarray(np.concatenate([left, right], 1)).save(tmp_path / f"{i}.png")
    pairs = open_pairs(tmp_path)
    assert are_partners(pairs)
    assert pairs.space.event_shape == pairs.seen.event_shape == (3, 6, 6)
    assert "cut in two" in pairs.notes[0]
    Image.fromarray(LEFT[0]).save(tmp_path / "square.png")
    with pytest.raises(DataError, match="6 x 6; in a folder without A/ and B/"):
        open_pairs(tmp_path)


def test_a_name_without_a_partner_and_two_of_one_name(tmp_path):
    place = written(tmp_path, [f"{i}.png" for i in range(20)], [f"{i}.bmp" for i in range(20)])
    (place / "B" / "7.bmp").rename(place / "B" / "x.bmp")
    with pytest.raises(DataError, match="7 is in only one"):
        open_pairs(place)
    (place / "B" / "x.bmp").rename(place / "B" / "0_B.bmp")
    with pytest.raises(DataError, match="have one name"):
        open_pairs(place)
