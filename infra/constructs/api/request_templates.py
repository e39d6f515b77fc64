"""Mapping templates (Velocity): the message that the gateway sends to the intake queue for a request, and its answer.

A message is what the intake reads: an integration event with the caller, as the token names them. The shop's own id of
an order is the ``Idempotency-Key``; without a key, the id of the message, which the intake then uses.

Source: API Gateway developer guide, "Mapping template reference" and "Use a mapping template to override an API's
request and response parameters and status codes", and SQS API reference, ``SendMessage`` and "Common Errors".
"""

from dataclasses import asdict, dataclass
from http import HTTPStatus
from urllib.parse import quote_plus

from pydantic import BaseModel

from handlers.api.parameters import ORDER_ID
from handlers.api.problems import problem
from handlers.api.requests import KEY_PATTERN, CancellationRequest, OrderRequest

_ORDER_ID = quote_plus('"') + "$order" + quote_plus('"')
_UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_BYTE_ORDER_MARK = quote_plus("\ufeff")
# SQS takes neither as it is; JSON has both, and an escape for them, which SQS takes.
_ESCAPES = {quote_plus(raw): quote_plus(escape) for raw, escape in (("\uffff", r"\uffff"), ("\ufffe", r"\ufffe"))}

REFUSED = HTTPStatus.SERVICE_UNAVAILABLE
"""The status of an answer where SQS took no message, unless the answer's template sets another."""

# The codes of SQS's errors that are the caller's. Any other is the gateway's own trouble.
_NO_MESSAGE = "MissingParameter"
_TOO_LARGE = "InvalidParameterValue"


@dataclass(frozen=True)
class CallerClaims:
    """Where an authorizer puts what it knows of the caller: references of the template language.

    ``shop`` is empty for an operator. The gateway's own authorizer knows no shops: intake finds it by the client.
    """

    subject: str
    client: str
    scopes: str
    shop: str | None = None


POOL_CLAIMS = CallerClaims(
    "$context.authorizer.claims.sub", "$context.authorizer.claims.client_id", "$context.authorizer.claims.scope"
)
FUNCTION_CLAIMS = CallerClaims(
    *("$context.authorizer.subject", "$context.authorizer.client", "$context.authorizer.scopes"),
    "$context.authorizer.shop",
)


@dataclass(frozen=True)
class IntakeTemplates:
    """What a `POST` does with a body: the request to SQS, the answer where SQS took the message, and where not."""

    body: type[BaseModel]
    request: str
    answer: str
    refusal: str


def submission(claims: CallerClaims) -> IntakeTemplates:
    """An order becomes an ``OrderSubmitted``, if its key is usable."""
    message_id = "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"
    return IntakeTemplates(
        OrderRequest,
        request=_key()
        + _send("OrderSubmitted", claims, f'#if($order == "")null#else{_ORDER_ID}#end', where="$order != '!'"),
        answer=f'{_key()}#if($order == "")#set($order = {message_id})#end{_accepted("$order")}',
        refusal=_refusal("the Idempotency-Key is to be 1 to 47 of A-Z a-z 0-9 _ -, such as a UUID"),
    )


def cancellation(claims: CallerClaims) -> IntakeTemplates:
    """A request becomes an ``OrderCancellationRequested``, if the order id in the path can be one."""
    return IntakeTemplates(
        CancellationRequest,
        request="#set($order = $input.params('order_id'))"
        + _send("OrderCancellationRequested", claims, _ORDER_ID, where=f"$order.matches('{ORDER_ID}')"),
        answer=_accepted("$input.params('order_id')"),
        refusal=_refusal("an order id is 1 to 47 of A-Z a-z 0-9 _ -"),
    )


def _key() -> str:
    """Sets ``$order``: empty without a key, ``!`` where the key is not usable, an empty one included.

    A UUID counts in lower case (RFC 9562, section 4).
    """
    return (
        '#set($order = "")#set($headers = $input.params().header)'
        "#foreach($name in $headers.keySet())"
        "#if($name.equalsIgnoreCase('Idempotency-Key'))#set($order = $headers.get($name))"
        f"#if($order.matches('{_UUID}'))#set($order = $order.toLowerCase())"
        f"#elseif(!$order.matches('{KEY_PATTERN}'))#set($order = '!')#end"
        "#end"
        "#end"
    )


def _send(detail_type: str, claims: CallerClaims, order_id: str, *, where: str) -> str:
    """A form for SQS: its text is encoded here, references are when the template is rendered.

    What the gateway knows comes after what the caller sent, all of it, even an order id that is missing: of two fields
    of the same name the last counts, in case a body ever gets here that is more than one JSON document. Unless `where`
    holds, and if the body begins with a byte order mark, the form has no message, and SQS refuses it.
    """
    escaped = "".join(f"#set($body = $body.replaceAll('{raw}', '{escape}'))" for raw, escape in _ESCAPES.items())
    return (
        f"#set($body = $util.urlEncode($input.body)){escaped}"
        "Action=SendMessage"
        f"#if({where} && !$body.startsWith('{_BYTE_ORDER_MARK}'))&MessageBody="
        + quote_plus('{"detail":')
        + "$body"
        + quote_plus(f',"detail-type":"{detail_type}","order_id":')
        + order_id
        + quote_plus(',"caller":{')
        + quote_plus(",").join(
            quote_plus(f'"{name}":"') + f"$util.urlEncode({reference})" + quote_plus('"')
            for name, reference in asdict(claims).items()
            if reference
        )
        + quote_plus("}}")
        + "#end"
    )


def _accepted(order: str) -> str:
    return f'{{"order_id":"{order}","status_url":"/v1/orders/{order}"}}'


def _refusal(usable: str) -> str:
    """Tells the caller's errors from the gateway's own trouble, by the code of SQS's error."""
    unusable = _problem(HTTPStatus.BAD_REQUEST, f"{usable}; the body begins without a byte order mark")
    too_large = _problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large: with what the gateway adds, 1 MiB is allowed"
    )
    return (
        "#set($code = $input.path('$.Error.Code'))"
        f"#if($code == '{_NO_MESSAGE}'){unusable}#elseif($code == '{_TOO_LARGE}'){too_large}"
        f"#else{problem(REFUSED, 'not accepted: send it again, same key').model_dump_json()}#end"
    )


def _problem(status: HTTPStatus, detail: str) -> str:
    return f"#set($context.responseOverride.status = {status.value}){problem(status, detail).model_dump_json()}"
