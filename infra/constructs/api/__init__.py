"""The HTTP API in front of the pipeline: gateway, identity, request templates and schemas."""
