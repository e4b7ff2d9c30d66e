"""Explains an address, an instance or a rule."""
