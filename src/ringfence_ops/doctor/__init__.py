"""The examination of a deployment, end to end: what `ringfence doctor` looks at, and how each thing is judged.

`chart` holds what was read of a Region and `reading` reads it; `deployment`, `groups` and `access` judge it, purely.
"""
