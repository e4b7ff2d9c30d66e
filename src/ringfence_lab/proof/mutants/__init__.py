"""Mutants: known defects, each put into the engine to show that the simulator catches it."""
