"""`python -m tests.load [--env ENV] [--seconds 600]`: load an environment on AWS, or without one a pipeline here."""

from infra import signals
from infra.loading import load


def main() -> None:
    """Run the command."""
    signals.install()
    load("tests.load.commands:main")()


if __name__ == "__main__":
    main()
