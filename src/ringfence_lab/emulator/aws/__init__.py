"""The lab's EC2 and Auto Scaling: moto, mended at run time until it behaves as AWS documents.

Each module says which of AWS's documents it follows. Knows nothing of Ringfence, nor of who serves moto.
"""
