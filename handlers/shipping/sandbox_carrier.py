"""A carrier for trying things out: deterministic, driven by the address's postal code as carriers' test addresses are.

=====================  ===================================================
``SBX-REJECT``         does not deliver there
``SBX-TIMEOUT-ONCE``   does not answer the first time, then arranges
``SBX-LOST-ANSWER``    arranges, but the first answer gets lost
``SBX-UNREACHABLE``    never answers an arrangement
``SBX-COLLECTED``      arranges, and has collected the parcel when it is called off
any other              arranges
=====================  ===================================================
"""

from events.integration import Address
from handlers.sandbox.books import Book, Books
from handlers.shipping.carrier import Consignment, ConsignmentState
from handlers.shipping.refusals import CarrierUnreachable

REJECT = "SBX-REJECT"
TIMEOUT_ONCE = "SBX-TIMEOUT-ONCE"
LOST_ANSWER = "SBX-LOST-ANSWER"
UNREACHABLE = "SBX-UNREACHABLE"
COLLECTED = "SBX-COLLECTED"


class SandboxCarrier:
    """A :class:`handlers.shipping.carrier.Carrier` that keeps its books in the table."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def arrange(self, key: str, address: Address) -> Consignment:
        if address.postal_code == UNREACHABLE:
            raise CarrierUnreachable(f"no answer to the arrangement {key}")
        if address.postal_code == TIMEOUT_ONCE and self._books.attempt(key) == 1:
            raise CarrierUnreachable(f"no answer in time to the arrangement {key}")
        if address.postal_code == REJECT:
            book, _ = self._books.change(
                key,
                "SET book_state = :rejected, rejected_because = :why",
                "attribute_not_exists(book_state)",
                {"rejected": ConsignmentState.REJECTED.value, "why": "no service to this address"},
            )
            return _consignment(book)
        book, changed = self._books.change(
            key,
            "SET book_state = :arranged, tracking_number = :number, postal_code = :code",
            "attribute_not_exists(book_state)",
            {
                "arranged": ConsignmentState.ARRANGED.value,
                "number": f"trk_{key}",
                "code": COLLECTED if address.postal_code == COLLECTED else "other",
            },
        )
        if changed and address.postal_code == LOST_ANSWER:
            raise CarrierUnreachable(f"the answer to the arrangement {key} got lost")
        return _consignment(book)

    def cancel(self, key: str) -> Consignment:
        book, _ = self._books.change(
            key,
            "SET book_state = :cancelled",
            "attribute_not_exists(book_state) OR (book_state = :arranged AND postal_code <> :collected)",
            {
                "cancelled": ConsignmentState.CANCELLED.value,
                "arranged": ConsignmentState.ARRANGED.value,
                "collected": COLLECTED,
            },
        )
        if book["book_state"] == ConsignmentState.ARRANGED:
            book, _ = self._books.change(
                key,
                "SET book_state = :dispatched",
                "book_state = :arranged",
                {"dispatched": ConsignmentState.DISPATCHED.value, "arranged": ConsignmentState.ARRANGED.value},
            )
        return _consignment(book)


def _consignment(book: Book) -> Consignment:
    return Consignment(
        state=ConsignmentState(book["book_state"]),
        tracking_number=book.get("tracking_number"),
        rejected_because=book.get("rejected_because"),
    )
