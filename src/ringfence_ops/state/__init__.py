"""The state of a cluster: what was read, what a reconcile would change, and the changes that a command makes."""
