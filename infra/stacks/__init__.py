"""The two stacks of an environment: what holds data, and beside it what can be made anew at any time."""
