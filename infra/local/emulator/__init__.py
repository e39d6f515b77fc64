"""The emulator: its process, and the patches that it needs to behave as AWS does."""
