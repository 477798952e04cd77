"""What every number of a trace must be, one file a theme, from numbers and matrices up to the update.

Nothing here knows the server or HTTP, and nothing here may import NumPy: a sum must run in the order the
service promises, and only a plain loop over Python's floats shows that it does.
"""
