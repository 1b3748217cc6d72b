"""Digits, arrays and folders of images, checked and divided; nothing is downloaded."""

from priorcraft.datasets.fingerprint import explain_change
from priorcraft.datasets.image import read_image
from priorcraft.datasets.source import Reading, names, open_data
from priorcraft.datasets.splits import Rows, Splits

__all__ = ["Reading", "Rows", "Splits", "explain_change", "names", "open_data", "read_image"]
