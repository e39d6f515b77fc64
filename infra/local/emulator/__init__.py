"""The emulator: its process, and the patches it needs to behave as AWS does."""
