"""The `pipeline` command line: for those who operate the pipeline, on AWS or on one machine.

What a command does is in `handlers.operations` and `handlers.queries`; here are its options, its progress and its
words. `commands` lists every command. The module of one is imported when it runs, so that `pipeline --help` is there at
once.
"""
