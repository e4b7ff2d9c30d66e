"""AWS with the operator's credentials, and its errors in words."""
