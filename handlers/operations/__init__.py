"""What an operator can do, as use cases: called by the command line."""
