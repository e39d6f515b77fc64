"""Patches of the emulator's process, where it does not behave as AWS does. `server` applies them.

They change private parts of the emulator's own modules, of the version that is pinned: check each when changing it.
"""
