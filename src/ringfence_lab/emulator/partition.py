"""The partition that the lab stands for. The emulators know no other."""

PARTITION = "aws"
