"""What can be broken in a Region of the lab, each as a context manager that breaks it and heals it again.

Everything is done as a person would do it by hand, with AWS's own calls. The Region that breaks is the east.
"""
