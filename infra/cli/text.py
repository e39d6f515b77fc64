"""Values as the command line prints them."""

from datetime import UTC, datetime


def clean(value: str) -> str:
    """A value without characters that a terminal would obey: outsiders may have written it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value)


def moment(at: datetime | str) -> str:
    """A time, or its ISO 8601 text, as people read it: in UTC, to the second."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
