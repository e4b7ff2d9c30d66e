"""Proofs that the engine is right: mutants it must not survive, crashes and interleavings it must."""
