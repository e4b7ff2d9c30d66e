"""The stacks of a cluster, and the function's code for them."""
