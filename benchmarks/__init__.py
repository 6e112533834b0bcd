"""Measured at length, with small results that are committed: `python -m benchmarks.NAME`."""
