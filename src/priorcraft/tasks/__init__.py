"""Names for what people want, and reports about it; the mathematics lies in `condition`."""
