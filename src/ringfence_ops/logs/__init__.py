"""What was done: the engines' audit log, and CloudTrail's event history."""
