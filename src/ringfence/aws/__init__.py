"""AWS behind the engine's ports: one module for each service. `faults` alone knows AWS's error codes."""
