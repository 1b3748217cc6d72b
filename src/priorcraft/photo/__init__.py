"""One photograph as its own prior: what is hidden in it, or too small, follows from the windows that are seen."""
