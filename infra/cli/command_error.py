"""The error that ends a command with one line."""


class CommandError(Exception):
    """The command cannot do what it was asked for. The message is printed, in one line; ``status`` the exit status."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(" ".join(message.split()))
        self.status = status
