"""What `--json` prints: one module for each command, with its document as dataclasses.

Pure values. The JSON Schemas in `ringfence_ops/schemas` are derived from these by `tools/generate_schemas.py`: field
types become types, and the docstring after a field becomes its description. Times are in UTC: 2026-11-23T15:00:03Z.
"""
