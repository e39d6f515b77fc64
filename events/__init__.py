"""The contract and the log: event models, envelope, schemas, upcasting and the event store.

Everything here but :mod:`events.store` needs pydantic alone, so that a publisher can depend on the contract
without an AWS library.
"""
