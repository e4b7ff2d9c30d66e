"""An AWS in memory, in virtual time, behind the engine's ports: for tests of every failure, and for the simulator.

`cloud` is where to start reading.
"""
