"""The command line `ringfence`: what an operator deploys, reads and repairs a cluster with."""
