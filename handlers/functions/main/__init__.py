"""The functions of the main package."""
