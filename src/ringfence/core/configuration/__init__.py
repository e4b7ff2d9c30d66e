"""What an operator configures: the table of settings, their values, and how they depend on one another. Pure."""
