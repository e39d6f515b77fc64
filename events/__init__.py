"""The contract: event models, envelope, streams, schemas, upcasting, and publishing.

It needs pydantic alone, so that a publisher can depend on it without an AWS library.
"""
