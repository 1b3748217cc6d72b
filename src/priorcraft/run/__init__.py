"""Fitted models on disk, and the data that they are asked about."""

from priorcraft.run.run import Run, columns_of, describe, load, rebuild

__all__ = ["Run", "columns_of", "describe", "load", "rebuild"]
