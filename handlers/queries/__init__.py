"""What the API and the command line both ask."""
