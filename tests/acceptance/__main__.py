"""`python -m tests.acceptance [--env ENV]`: check an environment on AWS, or without one a pipeline on this machine."""

from infra import signals
from infra.loading import load


def main() -> None:
    """Run the command."""
    signals.install()
    load("tests.acceptance.commands:main")()


if __name__ == "__main__":
    main()
