"""The HTTP API in front of the pipeline: gateway, identity, mapping templates and schemas."""
