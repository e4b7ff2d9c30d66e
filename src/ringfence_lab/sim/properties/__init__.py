"""What must hold in every history: properties of each change, of each invocation, and of the cloud after healing.

Each property is a function that yields what is wrong, or nothing. `catalogue` lists those of a change, `checker` calls
them. They know AWS's actual state, never what the engine assumes about it.
"""
