"""The same answers from more processes: training, and questions in chunks."""
