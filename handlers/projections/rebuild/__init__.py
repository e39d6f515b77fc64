"""Building a new generation of a projection beside the live one, and comparing it with the log."""
