"""Mapping templates: what goes on the intake queue is what was sent, and who sent it is what the token says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from events.model import OwnOrderId
from handlers.api.parameters import ORDER_ID
from handlers.api.requests import KEY_PATTERN
from handlers.intake.callers import OPERATE, READ, WRITE, Caller
from handlers.intake.requests import IntakeMessage
from infra.constructs.api.request_templates import (
    FUNCTION_CLAIMS,
    POOL_CLAIMS,
    REFUSED,
    CallerClaims,
    IntakeTemplates,
    cancellation,
    submission,
)
from infra.local.emulator.patches.mapping_templates import render
from tests.builders.api import CALLER, KEY, OPERATOR, context, sent

MESSAGE_ID = "5fea7756-0ea4-451a-a703-a558b933e274"
TAKEN = json.dumps({"SendMessageResponse": {"SendMessageResult": {"MessageId": MESSAGE_ID}}})
BOTH = pytest.mark.parametrize("claims", [POOL_CLAIMS, FUNCTION_CLAIMS], ids=["pool", "function"])


def refused(templates: IntakeTemplates, params: Mapping[str, str], body: str = "{}") -> bool:
    """Whether SQS gets a request that it refuses, since there is no message in it."""
    form = parse_qs(render(templates.request, body, dict(params), context()), strict_parsing=True)
    assert form["Action"] == ["SendMessage"]
    return "MessageBody" not in form


def answered(templates: IntakeTemplates, answer: str) -> tuple[int, Any]:
    """The status and the problem that become of an answer of SQS that is no success."""
    override: dict[str, int] = {}
    text = render(templates.refusal, answer, {}, {**context(), "responseOverride": override})
    return override.get("status", REFUSED.value), json.loads(text)


def message_of(text: str) -> IntakeMessage:
    """A message as intake reads it."""
    return IntakeMessage.model_validate({"id": MESSAGE_ID} | json.loads(text))


def order_id(key: str | None, caller: Caller = CALLER) -> str | None:
    return message_of(sent(submission(FUNCTION_CLAIMS), "{}", {} if key is None else {KEY: key}, caller)).order_id


def named(claims: CallerClaims, caller: Caller) -> dict[str, str]:
    """What a message says of its caller: the gateway's own authorizer knows no shops."""
    said = {"subject": caller.subject, "client": caller.client, "scopes": caller.scopes}
    return said if claims is POOL_CLAIMS else {**said, "shop": caller.shop or ""}


UUID = "0b7ac1f5-2f7e-4a44-9a65-5d2c1f0e9d3b"
# What an authorizer leaves of a subject or a client; few characters, so that what may be confused meets.
NAMES = st.text("aA1.|/ '{}[]:,", min_size=1, max_size=9)
CALLERS = st.one_of(
    st.builds(
        Caller, subject=NAMES, client=NAMES, scopes=st.just(CALLER.scopes), shop=st.text("a1", min_size=1, max_size=16)
    ),
    st.just(OPERATOR),
)
UUIDS = st.text("01aF", min_size=32, max_size=32).map(lambda h: f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}")
KEYS = st.one_of(st.text("01aF_-", min_size=1, max_size=47), UUIDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
TRICKY = "&Action=DeleteQueue%26+$input.body#set($order='x')${caller}#if(1)\\\"~*\x7f\u2028\U0001f9c5"


@BOTH
@given(body=JSON, ascii_only=st.booleans(), caller=CALLERS, key=st.none() | KEYS)
@example(body={TRICKY: TRICKY}, ascii_only=False, caller=CALLER, key=None)
@example(body=json.loads('"\\ud800"'), ascii_only=True, caller=CALLER, key="k")
def test_a_message_says_what_was_sent_and_who_sent_it(
    claims: CallerClaims, body: Any, ascii_only: bool, caller: Caller, key: str | None
) -> None:
    text = json.dumps(body, ensure_ascii=ascii_only)
    message = sent(submission(claims), text, {} if key is None else {KEY: key}, caller)
    content = json.loads(message)
    assert content.pop("detail") == body
    assert content == {
        "detail-type": "OrderSubmitted",
        "order_id": content["order_id"],
        "caller": named(claims, caller),
    }
    assert (content["order_id"] is None) == (key is None)


@pytest.mark.parametrize("scopes", [READ, OPERATE, f"openid {WRITE}", 'a"b'])
def test_scopes_reach_the_message_as_they_are_or_not_at_all(scopes: str) -> None:
    message = sent(submission(POOL_CLAIMS), "{}", {}, CALLER.model_copy(update={"scopes": scopes}))
    try:
        assert json.loads(message)["caller"]["scopes"] == scopes
    except json.JSONDecodeError:
        assert '"' in scopes


@given(caller=CALLERS)
def test_intake_reads_the_caller_that_was_authorized(caller: Caller) -> None:
    for claims in (FUNCTION_CLAIMS, POOL_CLAIMS):
        for templates in (submission(claims), cancellation(claims)):
            message = message_of(sent(templates, "{}", {"order_id": "o1"}, caller))
            known = caller if claims is FUNCTION_CLAIMS else caller.model_copy(update={"shop": None})
            assert (message.caller, message.source, message.folder) == (known, "", None)


# The order's id


@given(caller=CALLERS, key=KEYS)
@example(caller=CALLER, key="k" * 47)
@example(caller=CALLER, key=UUID)
@example(caller=CALLER, key=UUID.upper())
def test_a_key_is_the_shops_own_id_of_the_order_whoever_calls(caller: Caller, key: str) -> None:
    own_id = order_id(key, caller)
    TypeAdapter(OwnOrderId).validate_python(own_id)
    assert own_id == (key.lower() if re.fullmatch("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", key) else key)


@given(key=st.one_of(st.text(max_size=60), st.from_regex(KEY_PATTERN), KEYS))
@example(key="")
@example(key=" ")
@example(key="\t ")
@example(key="k" * 47)
@example(key="k" * 48)
@example(key="k" * 64)
@example(key=UUID.replace("-", ""))
@example(key=f"{UUID}0")
@example(key=UUID[:-1])
@example(key="other.o1")
@example(key="a b")
@example(key="a\n")
@example(key="!")
@example(key="$order")
@example(key='"},"x":{"')
def test_a_key_is_usable_exactly_if_it_is_what_the_document_says(key: str) -> None:
    usable = re.fullmatch(KEY_PATTERN.removeprefix("^").removesuffix("$"), key) is not None
    assert refused(submission(FUNCTION_CLAIMS), {KEY: key}) == (not usable)


@pytest.mark.parametrize("key", [UUID, "00000000-0000-0000-0000-00000000000A"])
def test_a_uuid_is_the_same_key_in_upper_and_lower_case_and_other_keys_are_not(key: str) -> None:
    assert order_id(key.upper()) == order_id(key.lower()) == order_id(key.upper()[:18] + key.lower()[18:])
    assert order_id("Key") != order_id("key")
    assert order_id(f"{key.upper()}0") != order_id(f"{key.lower()}0")


@BOTH
@given(caller=CALLERS, key=st.none() | KEYS)
def test_the_answer_names_the_order_that_intake_will_place(
    claims: CallerClaims, caller: Caller, key: str | None
) -> None:
    templates, params = submission(claims), {} if key is None else {KEY.lower(): key}
    message = sent(templates, "{}", params, caller)
    placed = json.loads(message)["order_id"] or MESSAGE_ID
    answer = json.loads(render(templates.answer, TAKEN, params, context(caller)))
    assert answer == {"order_id": placed, "status_url": f"/v1/orders/{placed}"}


# What SQS says


@pytest.mark.parametrize("templates", [submission(FUNCTION_CLAIMS), cancellation(POOL_CLAIMS)], ids=["order", "wish"])
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("MissingParameter", 400),
        ("InvalidParameterValue", 413),
        ("AccessDenied", 503),
        ("AWS.SimpleQueueService.NonExistentQueue", 503),
        ("RequestThrottled", 503),
        ("ThrottlingException", 503),
        ("InvalidClientTokenId", 503),
        ("KMS.AccessDeniedException", 503),
        ("InternalError", 503),
    ],
)
def test_only_what_is_wrong_with_the_request_is_the_callers_error(
    templates: IntakeTemplates, code: str, status: int
) -> None:
    answer = json.dumps({"Error": {"Code": code, "Message": "x", "Type": "Sender"}, "RequestId": MESSAGE_ID})
    answered_status, problem = answered(templates, answer)
    assert (answered_status, problem["status"]) == (status, status)
    assert ("Idempotency-Key" in problem["detail"] or "order id" in problem["detail"]) == (status == 400)


@pytest.mark.parametrize("answer", ["{}", '{"Error": {}}', '{"Error": null}', '{"__type": "AccessDenied"}'])
def test_an_answer_that_names_no_error_is_the_gateways_own_trouble(answer: str) -> None:
    assert answered(submission(FUNCTION_CLAIMS), answer)[0] == 503


# Characters


@pytest.mark.parametrize("templates", [submission(FUNCTION_CLAIMS), cancellation(POOL_CLAIMS)], ids=["order", "wish"])
def test_a_byte_order_mark_is_refused_and_the_same_character_elsewhere_is_not(templates: IntakeTemplates) -> None:
    params = {"order_id": "o1", KEY: "k"}
    assert refused(templates, params, "\ufeff{}")
    assert not refused(templates, params, '{"reason": "\ufeff"}')


@pytest.mark.parametrize("templates", [submission(FUNCTION_CLAIMS), cancellation(POOL_CLAIMS)], ids=["order", "wish"])
def test_what_sqs_takes_only_escaped_is_escaped(templates: IntakeTemplates) -> None:
    text = "\uffff \ufffe \\uffff %EF%BF%BF \ufffd \U0001ffff"
    message = sent(templates, json.dumps({"reason": text}, ensure_ascii=False), {"order_id": "o1"})
    assert not re.search("[\ufffe\uffff]", message)
    assert json.loads(message)["detail"] == {"reason": text}


# More than one JSON document: the gateway should not let it through, but here it does not matter

VICTIM = '"caller":{"subject":"victim","client":"victims-client","shop":"victim"'
FORGED = [
    f",{VICTIM}}}",
    ',"caller":{"subject":"victim","client":"x","scopes":"orders/operate"}',
    ',"order_id":"victims"',
    ',"order_id":"victim.o1"',
    ',"source":"victims.source"',
    ',"folder":"victims"',
    ',"detail-type":"OrderCancellationRequested"',
    ',"detail":{"forged":1}',
    f',{VICTIM},"x":',
    f',{VICTIM}}},"x":"',
    f',{VICTIM}}},"x":["',
    f',{VICTIM}}},"x":"\\',
    f',{VICTIM}}},"x":{{"y":1',
    f',{VICTIM}}},"x":[1',
    f',{VICTIM}}},"x":{{"y":{{"z":1',
    '},{"detail":{}',
    f",{VICTIM}}}}}",
    f',{VICTIM}}}}}\n{{"detail":{{}}',
    f",{VICTIM}}}}} //",
    f",{VICTIM}}}}} /*",
    ',"CALLER":1,"caller":{}',
]
PIECES = [
    *'{}[],:"\\',
    '"caller"',
    '"shop"',
    '"client"',
    '"victim"',
    '"order_id"',
    '"detail-type"',
    '"x"',
    "null",
    "1",
    " ",
]


@given(
    smuggled=st.one_of(st.sampled_from(FORGED), st.lists(st.sampled_from([*PIECES, *FORGED]), max_size=9).map("".join)),
    key=st.sampled_from([None, "k", UUID]),
)
def test_nothing_smuggled_behind_a_body_wins_over_what_the_gateway_knows(smuggled: str, key: str | None) -> None:
    honest = sent(submission(FUNCTION_CLAIMS), "{}", {} if key is None else {KEY: key})
    message = sent(submission(FUNCTION_CLAIMS), "{}" + smuggled, {} if key is None else {KEY: key})
    try:
        content = json.loads(message)
    except ValueError:
        return
    assert {name: content[name] for name in ("detail-type", "order_id", "caller")} == {
        name: value for name, value in json.loads(honest).items() if name != "detail"
    }


# Cancellations


@BOTH
def test_a_cancellation_is_about_the_order_in_the_path(claims: CallerClaims) -> None:
    templates, params = cancellation(claims), {"order_id": "o1", KEY: "k"}
    message = sent(templates, '{"reason":"second thoughts"}', params)
    assert json.loads(message) == {
        "detail-type": "OrderCancellationRequested",
        "detail": {"reason": "second thoughts"},
        "order_id": "o1",
        "caller": named(claims, CALLER),
    }
    assert json.loads(render(templates.answer, TAKEN, params, context())) == {
        "order_id": "o1",
        "status_url": "/v1/orders/o1",
    }


@given(
    path=st.one_of(st.text(min_size=1, max_size=70), st.from_regex(r"([a-z0-9]{1,17}\.)?[\w-]{1,49}", fullmatch=True))
)
@example(path="o" * 47)
@example(path="o" * 48)
@example(path=f"{'s' * 16}.{'o' * 47}")
@example(path=f"{'s' * 17}.o")
@example(path="Shop.o")
@example(path=".o")
@example(path="shop.")
@example(path="shop.o.o")
@example(path='o"')
@example(path="o\n")
def test_a_path_that_is_no_order_id_asks_nothing_of_the_queue(path: str) -> None:
    usable = re.fullmatch("([a-z0-9]{1,16}[.])?[A-Za-z0-9_-]{1,47}", path) is not None
    assert refused(cancellation(FUNCTION_CLAIMS), {"order_id": path}) == (not usable)
    # The same as questions about it.
    assert usable == (re.fullmatch(ORDER_ID, path) is not None)
