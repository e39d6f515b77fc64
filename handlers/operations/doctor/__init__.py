"""The doctor: what is not well with the log, the audit copy, the views, the sagas and the balances, and what mends it.

Pure: takes what was read and tells what is wrong. `infra.cli.doctor` reads and prints, other commands of
`infra.cli` mend.
"""

from collections.abc import Iterator

from handlers.operations.doctor import balances, publishing, standing, views
from handlers.operations.doctor.look import Ailment, Look


def ailments(look: Look) -> Iterator[Ailment]:
    """Everything that is not well."""
    for key in look.table.unreadable:
        yield Ailment(key, "the event cannot be read: deploy and run a version that knows its type")
    for check in (publishing.check, views.check, standing.check, balances.check):
        yield from check(look)
