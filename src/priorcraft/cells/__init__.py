"""Tables as they were written: named columns of cells, read column by column, before anything is made of them."""

from priorcraft.cells.column import CellColumn, Cells
from priorcraft.cells.frames import is_frame
from priorcraft.cells.reading import SUFFIXES, read_cells

__all__ = ["SUFFIXES", "CellColumn", "Cells", "is_frame", "read_cells"]
