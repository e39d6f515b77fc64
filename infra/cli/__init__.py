"""The `pipeline` command line: for those who operate the pipeline, on AWS or on one machine.

Nothing here imports AWS libraries or the contract with the module: a command imports what it needs when it runs, so
that `pipeline --help` is there at once.
"""
