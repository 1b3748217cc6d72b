"""The handwritten digits that come with scikit-learn."""

import numpy as np

from priorcraft.datasets.raw import Raw

VALID_ROWS, TEST_ROWS = 347, 450


def open_digits() -> Raw:
    """1,797 digits, 1 x 8 x 8, 17 levels; 1000 train, 347 valid and 450 test rows, always the same ones.

    UCI ML hand-written digits (Alpaydin & Kaynak 1998), test half.
    """
    # Imported here: scikit-learn takes as long to import as everything else, and only this data set needs it.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    rest, test = train_test_split(np.arange(len(y)), test_size=TEST_ROWS, stratify=y, random_state=0)
    train, valid = train_test_split(rest, test_size=VALID_ROWS, stratify=y[rest], random_state=0)
    rows = {"train": train, "valid": valid, "test": test}
    images, labels = np.asarray(x, np.uint8).reshape(-1, 8, 8), np.asarray(y)
    return Raw("digits", {p: images[i] for p, i in rows.items()}, {p: labels[i] for p, i in rows.items()}, levels=17)
