"""The lab's EC2 and Auto Scaling: moto, patched at run time until it behaves as AWS documents.

Each module names the AWS documents that it follows. It must not know Ringfence, nor the server of moto.
"""
