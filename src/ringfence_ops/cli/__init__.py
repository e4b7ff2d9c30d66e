"""The command line itself: the root command, and what all commands share for input and output."""
