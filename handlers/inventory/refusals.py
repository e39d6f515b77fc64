"""Why inventory refuses a command. The class name is the error that the state machine catches."""


class OutOfStock(Exception):
    """There is not enough of what was ordered."""
