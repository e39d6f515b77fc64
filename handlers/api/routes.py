"""The API's questions: orders, their history, and stock.

Source of `conditional`: RFC 9110, sections 8.8.3 (ETag) and 13.1.2 (If-None-Match).
"""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Literal, get_args

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from events.envelope import Recorded
from events.ordering import OrderPlaced
from events.shops import of_shop, own_id
from handlers.api import cursors, headers
from handlers.api.answers import (
    CancellationStatus,
    EventActor,
    HistoryEvent,
    OrderHistory,
    OrderPage,
    OrderStatus,
    OrderSummary,
    PersonShown,
    Status,
    Stock,
)
from handlers.api.parameters import AsOf, Cursor, CustomerId, FileName, Limit, OfStatus, OrderId, Sku
from handlers.api.problems import CONTENT_TYPE, Problem, Refusal, problem
from handlers.intake.callers import Caller, authorized
from handlers.intake.parties import Parties
from handlers.projections.order_fold import Attributes
from handlers.queries.orders import OrderQueries
from handlers.queries.stock import StockQueries
from handlers.runtime.observability import logger
from handlers.vault.vault import Vault

_IDS = ("order_id", "customer_id")


class Api:
    """The routes, and what they answer.

    Args:
        orders: reads orders.
        stock: reads stock.
        vault: has the persons behind orders.
        parties: whose clients are whose.
    """

    def __init__(self, orders: OrderQueries, stock: StockQueries, vault: Vault, parties: Parties) -> None:
        self._vault = vault
        self._parties = parties
        self._orders = orders
        self._stock = stock
        self.app = APIGatewayRestResolver(enable_validation=True, strip_prefixes=["/v1"])
        self.app.get("/orders/<order_id>", summary="The status of an order.")(self.order)
        self.app.get("/orders", summary="The orders of the caller's shop, newest first.")(self.orders)
        self.app.get("/orders/<order_id>/events", summary="All that happened to an order.")(self.history)
        self.app.get("/orders/<order_id>/cancellation", summary="What became of a request to cancel an order.")(
            self.cancellation
        )
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
        caller = self._caller()
        wanted = _of_shop(caller, order_id)
        attributes = self._orders.order(wanted) if as_of is None else self._orders.order_as_of(wanted, as_of)
        if attributes is None:
            raise _unknown_order(order_id)
        return OrderStatus(**_shown(caller, attributes))

    def orders(
        self, status: OfStatus = None, customer_id: CustomerId = None, cursor: Cursor = None, limit: Limit = 20
    ) -> OrderPage:
        caller = self._caller()
        question = f"{caller.shop or ''} {customer_id or ''} {status or ''}"
        after = None if cursor is None else cursors.decode(cursor, question)
        if after and not self._orders.keeps(after.generation):
            raise Refusal(HTTPStatus.NOT_FOUND, "cursor: its list is no longer kept; begin without one")
        if customer_id:
            found = self._orders.orders_of_customer(_of_shop(caller, customer_id), status, after, limit)
        else:
            shops = [caller.shop] if caller.shop else self._parties.shops
            found = self._orders.orders_of_shops(shops, [status] if status else get_args(Status), after, limit)
        return OrderPage(
            orders=[OrderSummary(**_shown(caller, attributes)) for attributes in found.orders],
            cursor=cursors.encode(found.after, question) if found.after else None,
        )

    def history(self, order_id: OrderId) -> OrderHistory:
        caller = self._caller()
        events = self._orders.history(_of_shop(caller, order_id))
        if not events:
            raise _unknown_order(order_id)
        placed = next((record.event for record in events if isinstance(record.event, OrderPlaced)), None)
        return OrderHistory(
            events=[_happened(caller, record) for record in events], person=self._person(placed) if placed else None
        )

    def cancellation(self, order_id: OrderId) -> CancellationStatus:
        caller = self._caller()
        found = self._orders.cancellation(_of_shop(caller, order_id))
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"nobody asked to cancel an order {order_id}, or not yet")
        return CancellationStatus(order_id=order_id, **found._asdict())

    def _person(self, placed: OrderPlaced) -> PersonShown | Literal["erased"]:
        known = self._vault.read(placed)
        if known is None:
            return "erased"
        return PersonShown(**known.person.model_dump(), cancellation_reason=known.cancellation_reason)

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
        """The caller, who is an operator or of a shop.

        Raises:
            Refusal: they are neither.
        """
        caller = authorized(self.app.current_event["requestContext"]["authorizer"]).of_parties(self._parties)
        if caller.shop is None and not caller.operates:
            raise Refusal(HTTPStatus.FORBIDDEN, f"the client {caller.client} is no shop's")
        return caller


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


def _of_shop(caller: Caller, named: str) -> str:
    """The id of the order or customer that a caller names: a shop by its own id, an operator by the id with the shop.

    Raises:
        Refusal: a shop names another's, which are not there for it; or an operator names no shop.
    """
    if caller.shop is None:
        if "." not in named:
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is no {named}: for an operator an id is <shop>.{named}")
        return named
    if "." in named:
        raise _unknown_order(named)
    return of_shop(caller.shop, named)


def _shown(caller: Caller, attributes: Attributes) -> Attributes:
    """What a view has, with the ids that its reader knows."""
    if caller.shop is None:
        return attributes
    return attributes | {name: own_id(attributes[name]) for name in _IDS if name in attributes}


def _unknown_order(order_id: str) -> Refusal:
    """Somebody else's order is not there either. An order just submitted is there as soon as it is taken in."""
    return Refusal(HTTPStatus.NOT_FOUND, f"there is no order {order_id}, or not yet")


def _happened(caller: Caller, record: Recorded) -> HistoryEvent:
    """An event for its reader: a shop sees its own ids, the doors, and of who came in there its own clients."""
    data = record.event.model_dump(mode="json", exclude_none=True)
    kind, _, rest = record.stream.partition("#")
    actor, redriven_by = record.metadata.actor, record.metadata.redriven_by
    principal: str | None = actor.principal
    if caller.shop is not None:
        shop, _, who = actor.principal.partition("/")
        principal, redriven_by, rest = (who or None) if shop == caller.shop else None, None, own_id(rest)
    return HistoryEvent(
        type=type(record.event).__name__,
        stream=f"{kind}#{rest}",
        version=record.version,
        occurred_at=record.occurred_at,
        actor=EventActor(door=actor.door, principal=principal, redriven_by=redriven_by),
        data=_shown(caller, data),
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
