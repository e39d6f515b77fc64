"""Erasure: everything personal about a customer or an order is deleted, and that it was is recorded.

`statemachines/erasure.asl.json` runs it, for it may have to wait: an order that a saga still takes further keeps its
person until it has ended. `decision` and `matching` decide, purely; `erase` does it, `ledger` keeps what was done.
"""
