"""Measures the engine and a baseline in the same run: `make bench`. No figure depends on the speed of a machine."""
