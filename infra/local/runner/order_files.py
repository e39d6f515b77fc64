"""Orders from a CSV file on this machine, for a run: all of them, valid or not, in memory."""

from pathlib import Path

from events.publishing.entries import MAX_BYTES, size_of
from events.publishing.publisher import Entry
from handlers.files import csv_profile
from handlers.files.csv_profile import Profile, UnknownProfile
from handlers.files.reader import BrokenFile, FileOrder, read_csv
from handlers.operations.audit.published_submission import Submission
from infra.local.runner.stock_deliveries import ORDER_SUBMITTED, SOURCE
from infra.names import DEMO_SHOP


class InputError(Exception):
    """The file or the profile cannot be used; the message is one line that says which, and why."""


def read_profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InputError: there is none.
    """
    try:
        return csv_profile.read_profile(name)
    except UnknownProfile as unknown:
        raise InputError(str(unknown)) from unknown


def read_orders(path: Path, profile: Profile) -> list[Submission]:
    """The orders of a file, each with all of its lines, in the order of their first lines.

    Raises:
        InputError: the file cannot be read, lacks a column, holds no line, a row that is not as it should be, or an
            order too large for the bus.
    """
    orders: dict[str | None, FileOrder] = {}
    try:
        with path.open("rb") as file:
            for order in read_csv(file, profile):
                for problem in order.problems:
                    where = f"order {order.order_id} is" if problem.row is None else f"row {problem.row} has"
                    raise InputError(f"{path}: {where} {problem.message}")
                if orders.setdefault(order.order_id, order) is not order:
                    orders[order.order_id].detail["lines"].extend(order.detail["lines"])
    except OSError as unreadable:
        raise InputError(f"{path}: {unreadable.strerror}") from unreadable
    except BrokenFile as broken:
        raise InputError(f"{path}: {broken}") from broken
    submissions = [Submission(DEMO_SHOP, order.detail) for order in orders.values()]
    for submission in submissions:
        size = size_of(Entry.untyped(ORDER_SUBMITTED, submission.detail).put("", SOURCE))
        if size > MAX_BYTES:
            raise InputError(
                f"{path}: order {submission.detail['order_id']} is {size} bytes; PutEvents takes {MAX_BYTES}"
            )
    return submissions
