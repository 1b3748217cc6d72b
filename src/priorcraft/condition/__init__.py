"""Bayes' theorem for whole points: p(x | y) from a fitted p(x) and an observation p(y | x)."""
