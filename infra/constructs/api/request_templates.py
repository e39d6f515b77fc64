"""Mapping templates (Velocity): the message that the gateway sends to the intake queue for a request, and its answer.

A message is what the intake reads: an integration event with the caller, as the token names them. An order's id is the
caller's id and the ``Idempotency-Key``; without a key, the id of the message, which the intake then uses.

Source: API Gateway developer guide, "Mapping template reference", and SQS API reference, ``SendMessage``.
"""

from dataclasses import dataclass
from urllib.parse import quote_plus

from pydantic import BaseModel

from handlers.api.requests import MAX_KEY, CancellationRequest, OrderRequest

_ORDER_ID = quote_plus('"') + "$order" + quote_plus('"')
_UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_ID = "[A-Za-z0-9_-]{1,64}"


@dataclass(frozen=True)
class CallerClaims:
    """Where an authorizer puts what it knows of the caller: references of the template language."""

    customer_id: str
    scopes: str


POOL_CLAIMS = CallerClaims("$context.authorizer.claims.sub", "$context.authorizer.claims.scope")
FUNCTION_CLAIMS = CallerClaims("$context.authorizer.customer_id", "$context.authorizer.scopes")


@dataclass(frozen=True)
class IntakeTemplates:
    """What a `POST` does with a body: the request to SQS, the answer once SQS has accepted it, and why it may not."""

    body: type[BaseModel]
    request: str
    answer: str
    refusal: str


def submission(claims: CallerClaims) -> IntakeTemplates:
    """An order becomes an ``OrderSubmitted``; if its key is not usable, a request without action, which SQS refuses."""
    message = _send("OrderSubmitted", claims, f'#if($order == "")null#else{_ORDER_ID}#end')
    message_id = "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"
    return IntakeTemplates(
        OrderRequest,
        request=f"{_order_id(claims)}#if($order != '!'){message}#end",
        answer=f'{_order_id(claims)}#if($order == "")#set($order = {message_id})#end{_accepted("$order")}',
        refusal="the Idempotency-Key is to be a UUID or 1 to 31 of A-Z a-z 0-9 _ -, and the order within 256 KB",
    )


def cancellation(claims: CallerClaims) -> IntakeTemplates:
    """A request becomes an ``OrderCancellationRequested``, if the order id in the path can be one."""
    message = _send("OrderCancellationRequested", claims, _ORDER_ID)
    return IntakeTemplates(
        CancellationRequest,
        request=f"#set($order = $input.params('order_id'))#if($order.matches('{_ID}')){message}#end",
        answer=_accepted("$input.params('order_id')"),
        refusal="an order id is 1 to 64 of A-Z a-z 0-9 _ -",
    )


def _order_id(claims: CallerClaims) -> str:
    """Sets ``$order``: empty without a key, ``!`` where the key is not usable.

    Callers' ids hold no underscore; without hyphens, those of 36 characters have 32, and all others fewer. So two
    callers never get the same id, nor does one from two keys, and none is longer than an id may be.
    """
    return (
        f'#set($caller = "{claims.customer_id}")#set($caller = $caller.replaceAll("-", ""))'
        '#set($key = "")#set($headers = $input.params().header)'
        "#foreach($name in $headers.keySet())"
        "#if($name.equalsIgnoreCase('Idempotency-Key'))#set($key = $headers.get($name))#end"
        "#end"
        '#if($key == "")#set($order = "")'
        f'#elseif($key.matches(\'{_UUID}\'))#set($hex = $key.replaceAll("-", ""))#set($order = "${{caller}}${{hex}}")'
        f"#elseif($key.matches('[A-Za-z0-9_-]{{1,{MAX_KEY}}}'))#set($order = \"${{caller}}_${{key}}\")"
        '#else#set($order = "!")#end'
    )


def _send(detail_type: str, claims: CallerClaims, order_id: str) -> str:
    """A form for SQS: its text is encoded here, references are when the template is rendered.

    What the gateway knows comes after what the caller sent, all of it, even an order id that is missing: of two fields
    of the same name the last counts, in case a body ever gets here that is more than one JSON document.
    """
    return (
        "Action=SendMessage&MessageBody="
        + quote_plus('{"detail":')
        + "$util.urlEncode($input.body)"
        + quote_plus(f',"detail-type":"{detail_type}","order_id":')
        + order_id
        + quote_plus(',"caller":{"customer_id":"')
        + f"$util.urlEncode({claims.customer_id})"
        + quote_plus('","scopes":"')
        + f"$util.urlEncode({claims.scopes})"
        + quote_plus('"}}')
    )


def _accepted(order: str) -> str:
    return f'{{"order_id":"{order}","status_url":"/v1/orders/{order}"}}'
