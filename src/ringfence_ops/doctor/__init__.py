"""The checks of a deployment, end to end: what `ringfence doctor` reads, and how it judges each part.

`facts` holds what was read of a Region, and `reading` reads it. `stack`, `security_groups` and `access` judge it; they
are pure.
"""
