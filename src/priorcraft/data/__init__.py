"""Digits, arrays and folders of images, checked and divided; nothing is downloaded."""

from priorcraft.data.fingerprint import explain_change
from priorcraft.data.image import read_image
from priorcraft.data.source import Reading, names, open_data
from priorcraft.data.splits import Rows, Splits

__all__ = ["Reading", "Rows", "Splits", "explain_change", "names", "open_data", "read_image"]
