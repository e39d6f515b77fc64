"""What makes a package impossible."""


class PackageError(Exception):
    """The package cannot be built as it is described; the message says what does not fit, and where."""
