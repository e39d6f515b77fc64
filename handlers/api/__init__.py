"""The HTTP API: what callers may ask, and the answers. Orders go from the gateway straight to the intake queue."""
