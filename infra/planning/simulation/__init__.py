"""A simulation of orders on their way: how long they take to their outcome, and what waits meanwhile.

It goes by the stages of the plan and their limits, by what was measured, and by the definitions of the sagas. Nothing
here asks AWS. docs/simulation.md says how far to trust it.
"""
