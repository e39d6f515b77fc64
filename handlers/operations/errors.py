"""Why an operation did not do what an operator asked for."""


class InvalidRequest(Exception):
    """What was asked can never be done, whatever the state of the pipeline. The message says what to ask instead."""


class OperationFailed(Exception):
    """The operation could not be done, or not to its end. The message says why, and what to do."""
