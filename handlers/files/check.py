"""Whether the pipeline would accept an order of a file: decided before it is sent, by the rules of order intake."""

from collections.abc import Sequence

from events.ordering import RejectionReason
from handlers.files.reader import FileOrder, Reason
from handlers.intake.validation import Refused
from handlers.ordering import submission


def rejected(order: FileOrder) -> list[Reason]:
    """Why the order is rejected, by row; nothing if it is valid."""
    if order.problems:
        return list(order.problems)
    try:
        decided = submission.decide(order.detail)
    except Refused as refused:
        return _by_row(refused.reasons, order)
    except RecursionError:
        return [Reason("nested too deeply", order.first_row)]
    return _by_row(decided.reasons, order) if isinstance(decided, submission.Invalid) else []


def _by_row(reasons: Sequence[RejectionReason], order: FileOrder) -> list[Reason]:
    return [_reason(reason, order) for reason in reasons]


def _reason(reason: RejectionReason, order: FileOrder) -> Reason:
    """The reason with the row it is about, in place of the number of a line, and what is known of the cell."""
    match reason.field.split(".", 2):
        case ["lines", number, *rest] if order.line_rows and number.isdecimal():
            cell = order.line_rows[int(number)], ".".join(rest)
            return Reason(order.wrong_cells.get(cell, reason.message), *cell)
    row = order.first_row if order.first_row == order.last_row else None
    return Reason(reason.message, row, reason.field)
