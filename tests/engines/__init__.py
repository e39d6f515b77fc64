"""Engines run the code under test as AWS would, under control: interleaved, killed, in memory, state by state.

Each module says how it works and what its limits are.
"""
