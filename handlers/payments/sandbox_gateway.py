"""A payment gateway for trying things out: deterministic, driven by the payment token as gateways' test tokens are.

========================  ===================================================
``tok_decline``           declines the authorization
``tok_decline_capture``   authorizes, and declines the capture
``tok_timeout_once``      does not answer the first authorization, then approves
``tok_lost_answer``       authorizes and captures, but the first answer to each gets lost
``tok_unreachable``       never answers an authorization
any other                 approves
========================  ===================================================
"""

from handlers.payments.payment_gateway import Charge, ChargeState
from handlers.payments.refusals import PaymentGatewayUnreachable
from handlers.sandbox.books import Book, Books

DECLINE = "tok_decline"
DECLINE_CAPTURE = "tok_decline_capture"
TIMEOUT_ONCE = "tok_timeout_once"
LOST_ANSWER = "tok_lost_answer"
UNREACHABLE = "tok_unreachable"

_REMEMBERED = {DECLINE_CAPTURE, LOST_ANSWER}
"""The tokens that say what later calls do. No other is kept: a token is personal."""


class SandboxGateway:
    """A :class:`handlers.payments.payment_gateway.PaymentGateway` that keeps its books in the table."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def authorize(self, key: str, amount: int, currency: str, payment_token: str) -> Charge:
        if payment_token == UNREACHABLE:
            raise PaymentGatewayUnreachable(f"no answer to the authorization {key}")
        if payment_token == TIMEOUT_ONCE and self._books.attempt(key) == 1:
            raise PaymentGatewayUnreachable(f"no answer in time to the authorization {key}")
        if payment_token == DECLINE:
            book, _ = self._books.change(
                key,
                "SET book_state = :declined, declined_because = :why",
                "attribute_not_exists(book_state)",
                {"declined": ChargeState.DECLINED.value, "why": "insufficient funds"},
            )
            return _charge(book)
        book, changed = self._books.change(
            key,
            "SET book_state = :authorized, authorized = :amount, currency = :currency, payment_token = :token, "
            "authorization_id = :id",
            "attribute_not_exists(book_state)",
            {
                "authorized": ChargeState.AUTHORIZED.value,
                "amount": amount,
                "currency": currency,
                "token": payment_token if payment_token in _REMEMBERED else "other",
                "id": f"auth_{key}",
            },
        )
        return _answer(book, changed)

    def capture(self, key: str) -> Charge:
        book, changed = self._books.change(
            key,
            "SET book_state = :captured, captured = authorized",
            "book_state = :authorized AND payment_token <> :declining",
            {
                "captured": ChargeState.CAPTURED.value,
                "authorized": ChargeState.AUTHORIZED.value,
                "declining": DECLINE_CAPTURE,
            },
        )
        if not book:
            raise LookupError(f"nothing is authorized under {key}")
        if book["book_state"] == ChargeState.AUTHORIZED:
            book, _ = self._books.change(
                key,
                "SET declined_because = :why",
                "book_state = :authorized",
                {"why": "the account was closed", "authorized": ChargeState.AUTHORIZED.value},
            )
        return _answer(book, changed)

    def void(self, key: str) -> Charge:
        book, _ = self._books.change(
            key,
            "SET book_state = :voided, voided = if_not_exists(authorized, :nothing)",
            "attribute_not_exists(book_state) OR book_state = :authorized",
            {"voided": ChargeState.VOIDED.value, "authorized": ChargeState.AUTHORIZED.value, "nothing": 0},
        )
        return _charge(book)

    def refund(self, key: str) -> Charge:
        book, _ = self._books.change(
            key,
            "SET book_state = :refunded, refunded = captured",
            "book_state = :captured",
            {"refunded": ChargeState.REFUNDED.value, "captured": ChargeState.CAPTURED.value},
        )
        return _charge(book)


def _answer(book: Book, changed: bool) -> Charge:
    if changed and book["payment_token"] == LOST_ANSWER:
        raise PaymentGatewayUnreachable("the answer got lost")
    return _charge(book)


def _charge(book: Book) -> Charge:
    return Charge(
        state=ChargeState(book["book_state"]),
        amount=book.get("authorized", 0),
        authorization_id=book.get("authorization_id"),
        declined_because=book.get("declined_because"),
    )
