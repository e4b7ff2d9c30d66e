"""Mutants: every way in which we claim that the simulator would notice a wrong engine, tried on the engine itself."""
