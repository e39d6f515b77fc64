"""The restore drill: the tables are restored under other names, erased from, read, and compared with the audit copy.

So it is known that a restore works, and how long it takes, before it is needed. `restoring` makes the tables and
removes them, `comparison` decides what differs (pure), `drill` takes the steps. Nothing in use is written to.
"""
