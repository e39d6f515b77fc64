"""The doctor: problems with the log, the audit copy, the views, the sagas and the balances, and what repairs each.

`examination` reads and compares, `diagnosis` decides what is a problem (pure), `report` groups them for people. It only
reads: other operations repair. A command line, a console or a function may call it; it takes clients and a clock.
"""
