"""Proofs that the engine is correct: random histories, crashes, interleavings, and mutants that must be caught."""
