"""The entry point. It imports next to nothing, so that from its first moment on a signal ends the command cleanly."""

from infra import signals
from infra.loading import load


def main() -> None:
    """Run the command line."""
    signals.install()
    load("infra.cli.app:app")()
