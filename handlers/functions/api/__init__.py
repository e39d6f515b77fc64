"""The functions behind the HTTP API, whose libraries are larger."""
