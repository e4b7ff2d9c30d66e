"""The engine's interfaces on AWS: one module per service. Only `error_codes` knows AWS's error codes."""
