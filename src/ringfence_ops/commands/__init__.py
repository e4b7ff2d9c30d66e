"""One module for each command: its arguments, its report for people, and its document for programs."""
