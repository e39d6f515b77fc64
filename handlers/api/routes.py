"""The API's questions: orders, their history, and stock.

Source of `conditional`: RFC 9110, sections 8.8.3 (ETag) and 13.1.2 (If-None-Match).
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from events.envelope import Recorded
from events.ordering import OrderPlaced, OrderRejected
from handlers.api import cursors, headers
from handlers.api.answers import HistoryEvent, OrderHistory, OrderPage, OrderStatus, OrderSummary, Stock
from handlers.api.parameters import AsOf, Cursor, FileName, Limit, OfStatus, OrderId, Sku
from handlers.api.problems import CONTENT_TYPE, Problem, Refusal, problem
from handlers.intake.callers import Caller, authorized
from handlers.queries.orders import OrderQueries
from handlers.queries.stock import StockQueries
from handlers.runtime.observability import logger


class Api:
    """The routes, and what they answer.

    Args:
        orders: reads orders.
        stock: reads stock.
    """

    def __init__(self, orders: OrderQueries, stock: StockQueries) -> None:
        self._orders = orders
        self._stock = stock
        self.app = APIGatewayRestResolver(enable_validation=True, strip_prefixes=["/v1"])
        self.app.get("/orders/<order_id>", summary="The status of an order.")(self.order)
        self.app.get("/orders", summary="The caller's orders, newest first.")(self.orders)
        self.app.get("/orders/<order_id>/events", summary="All that happened to an order.")(self.history)
        self.app.get("/stock/<sku>", summary="How much of a SKU is available, reserved and shipped.")(self.stock)
        self.app.get("/openapi.json", include_in_schema=False)(self.document)
        self.app.get("/docs", include_in_schema=False)(self.page)
        self.app.get("/docs/<name>", include_in_schema=False)(self.page_file)
        self.app.exception_handler(Refusal)(_refused)
        self.app.exception_handler(RequestValidationError)(_invalid)
        self.app.exception_handler(NotFoundError)(_nowhere)
        self.app.exception_handler(Exception)(_failed)

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer a request of the gateway."""
        answer = self.app.resolve(event, context)
        private = {name: [value] for name, value in headers.PRIVATE.items()}
        return conditional(event, answer | {"multiValueHeaders": private | answer["multiValueHeaders"]})

    def order(self, order_id: OrderId, as_of: AsOf = None) -> OrderStatus:
        attributes = self._orders.order(order_id) if as_of is None else self._orders.order_as_of(order_id, as_of)
        if attributes is None or "status" not in attributes or not self._may_see(attributes.get("customer_id")):
            raise _unknown_order(order_id)
        return OrderStatus(**attributes)

    def orders(self, status: OfStatus = None, cursor: Cursor = None, limit: Limit = 20) -> OrderPage:
        customer_id = self._caller().customer_id
        question = f"{customer_id} {status}"
        after = None if cursor is None else cursors.decode(cursor, question)
        if after and not self._orders.keeps(after.generation):
            raise Refusal(HTTPStatus.NOT_FOUND, "cursor: its list is no longer kept; begin without one")
        found, last = self._orders.orders_of_customer(customer_id, status, after, limit)
        return OrderPage(
            orders=[OrderSummary(**attributes) for attributes in found],
            cursor=cursors.encode(last, question) if last else None,
        )

    def history(self, order_id: OrderId) -> OrderHistory:
        events = self._orders.history(order_id)
        if not events or not self._may_see(_customer_of(events)):
            raise _unknown_order(order_id)
        return OrderHistory(events=[_shown(record) for record in events])

    def stock(self, sku: Sku) -> Stock:
        stocked = self._stock.by_sku(sku)
        if stocked is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is no SKU {sku}")
        return Stock(sku=sku, **stocked._asdict())

    def document(self) -> Response[Any]:
        from handlers.api import openapi  # noqa: PLC0415 - a third of what the function takes to start, and rarely used

        return Response(200, "application/json", openapi.document(self.app), headers={**headers.PUBLIC})

    def page(self) -> Response[Any]:
        from handlers.api import page  # noqa: PLC0415 - as above

        return Response(200, page.CONTENT_TYPE, page.HTML, headers={**headers.PAGE})

    def page_file(self, name: FileName) -> Response[Any]:
        from handlers.api import page  # noqa: PLC0415 - as above

        found = page.file(name)
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"the page has no file {name}")
        content_type, text = found
        return Response(200, content_type, text, headers={**headers.PUBLIC})

    def _caller(self) -> Caller:
        return authorized(self.app.current_event["requestContext"]["authorizer"])

    def _may_see(self, customer_id: str | None) -> bool:
        caller = self._caller()
        return caller.operates or customer_id == caller.customer_id


def _refused(refusal: Refusal) -> Response[Any]:
    return _answer(refusal.problem)


def _invalid(error: RequestValidationError) -> Response[Any]:
    detail = "; ".join(f"{wrong['loc'][-1]}: {wrong['msg']}" for wrong in error.errors())
    return _answer(problem(HTTPStatus.BAD_REQUEST, detail))


def _nowhere(_error: NotFoundError) -> Response[Any]:
    return _answer(problem(HTTPStatus.NOT_FOUND, "there is nothing here"))


def _failed(_error: Exception) -> Response[Any]:
    """The gateway would answer with 502 and no problem."""
    logger.exception("request failed")
    return _answer(problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our fault; try again"))


def _answer(problem_details: Problem) -> Response[Any]:
    return Response(problem_details.status, CONTENT_TYPE, problem_details.model_dump_json())


def _customer_of(events: Sequence[Recorded]) -> str | None:
    """Whose order it is, or, where none was placed, who submitted what was refused."""
    placed = next((record.event for record in events if isinstance(record.event, OrderPlaced)), None)
    if placed:
        return placed.customer.customer_id if placed.customer else None
    return next((record.event.customer_id for record in events if isinstance(record.event, OrderRejected)), None)


def _unknown_order(order_id: str) -> Refusal:
    """Somebody else's order is not there either. An order just submitted is there as soon as it is taken in."""
    return Refusal(HTTPStatus.NOT_FOUND, f"there is no order {order_id}, or not yet")


def _shown(record: Recorded) -> HistoryEvent:
    return HistoryEvent(
        type=type(record.event).__name__,
        stream=record.stream,
        version=record.version,
        occurred_at=record.occurred_at,
        data=record.event.model_dump(mode="json", exclude_none=True, exclude={"payment_token"}),
    )


def conditional(event: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with an ``ETag``; 304 without a body where the caller has that already."""
    if answer["statusCode"] != HTTPStatus.OK:
        return answer
    tag = f'"{sha256(answer["body"].encode()).hexdigest()[:32]}"'
    tagged = answer | {"multiValueHeaders": answer["multiValueHeaders"] | {"ETag": [tag]}}
    asked = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    known = [each.strip().removeprefix("W/") for each in asked.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return tagged | {"statusCode": HTTPStatus.NOT_MODIFIED, "body": ""}
    return tagged
