"""Measures the engine beside a baseline, both in one run: `make bench`. Knows nothing of any machine's speed."""
