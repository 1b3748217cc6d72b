"""Bayes' theorem for whole points: p(x | y) from a fitted p(x) and an observation p(y | x)."""

from priorcraft.condition.dispatch import engine_for, posterior

__all__ = ["engine_for", "posterior"]
