"""The retry policy: which errors mean "try again", how many attempts are made, and how long the waits are."""

import ast
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as boto
from hypothesis import given
from hypothesis import strategies as st

from handlers.retry_policy import (
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    MAX_ATTEMPTS,
    Contended,
    NotTaken,
    Retryable,
    Throttled,
    Unreachable,
    classified,
    meaning,
    until_taken,
    wait,
)

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "handlers" / "retry_policy.py"
REFUSALS = ["ValidationException", "AccessDeniedException", "ResourceNotFoundException", "ConditionalCheckFailed"]
THROTTLES = [
    *("ThrottlingException", "ThrottlingError", "RequestThrottled", "RequestLimitExceeded"),
    *("ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException"),
    *("InternalServerError", "InternalFailure", "ServiceUnavailable", "TooManyRequestsException"),
]
CONFLICTS = ["TransactionConflict", "TransactionConflictException", "TransactionInProgressException"]
MEANINGS: list[tuple[str, type[Retryable]]] = [
    *((code, Throttled) for code in THROTTLES),
    *((code, Contended) for code in CONFLICTS),
]
NO_ANSWER = [
    boto.EndpointConnectionError(endpoint_url="https://dynamodb"),
    boto.ConnectTimeoutError(endpoint_url="https://dynamodb"),
    boto.ReadTimeoutError(endpoint_url="https://dynamodb"),
    boto.ConnectionClosedError(endpoint_url="https://dynamodb"),
]


@pytest.fixture(autouse=True)
def waits() -> Iterator[list[float]]:
    """How long was waited."""
    waited: list[float] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("handlers.retry_policy.time.sleep", waited.append)
        yield waited


def answer(code: str) -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": "so it is"}}, "PutItem")


# What an error means


@pytest.mark.parametrize(("code", "error"), MEANINGS)
def test_an_error_that_may_pass_is_named_by_its_cause_and_keeps_what_aws_said(
    code: str, error: type[Retryable]
) -> None:
    with pytest.raises(error, match="so it is") as raised, classified():
        raise answer(code)
    assert isinstance(raised.value.__cause__, boto.ClientError)


@pytest.mark.parametrize("failure", NO_ANSWER, ids=lambda failure: type(failure).__name__)
def test_no_connection_or_no_answer_is_unreachable(failure: Exception) -> None:
    with pytest.raises(Unreachable) as raised, classified():
        raise failure
    assert raised.value.__cause__ is failure


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_no_reason_to_try_again(code: str) -> None:
    refusal = answer(code)
    with pytest.raises(boto.ClientError) as raised, classified():
        raise refusal
    assert raised.value is refusal


@given(st.sets(st.sampled_from([*REFUSALS, *THROTTLES, *CONFLICTS])))
def test_among_several_reasons_one_that_may_pass_decides(codes: set[str]) -> None:
    expected = next((error for code, error in MEANINGS if code in codes), None)
    assert meaning(codes) is expected


# How often, and how long


@given(st.integers(1, 100))
def test_waits_double_up_to_a_limit_and_are_never_the_same_for_all(failed: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        waited: list[float] = []
        patched.setattr("handlers.retry_policy.time.sleep", waited.append)
        wait(failed)
    planned = min(FIRST_WAIT_SECONDS * 2 ** (failed - 1), LONGEST_WAIT_SECONDS)
    assert planned / 2 <= waited[0] <= planned * 1.5


Script = list[str | set[int]]
"""What becomes of each call: a throttle, or the indexes of the items that are not taken. Then all is taken."""

scripts: st.SearchStrategy[Script] = st.lists(
    st.sampled_from(THROTTLES) | st.sets(st.integers(0, 4), min_size=1), max_size=MAX_ATTEMPTS + 2
)


@given(st.lists(st.integers(), min_size=1, max_size=5, unique=True), scripts)
def test_each_item_is_taken_once_or_named_as_left(items: list[int], script: Script) -> None:
    taken: list[int] = []
    calls: list[list[int]] = []

    def call(batch: list[Any]) -> list[Any]:
        calls.append(batch)
        happens = script[len(calls) - 1] if len(calls) <= len(script) else set()
        if isinstance(happens, str):
            raise answer(happens)
        left = [item for index, item in enumerate(batch) if index in happens]
        taken.extend(item for item in batch if item not in left)
        return left

    try:
        until_taken(call, items)
        left: list[int] = []
    except NotTaken as failure:
        left = failure.left
        assert len(calls) == MAX_ATTEMPTS
    assert sorted([*taken, *left]) == sorted(items)
    assert all(calls)


def test_it_waits_before_each_attempt_but_the_first(waits: list[float]) -> None:
    with pytest.raises(NotTaken, match=f"1 items were not taken in {MAX_ATTEMPTS} attempts"):
        until_taken(lambda items: items, [1])
    assert len(waits) == MAX_ATTEMPTS - 1
    until_taken(lambda _: [], [1])
    assert len(waits) == MAX_ATTEMPTS - 1


@pytest.mark.parametrize(("failure", "error"), [(answer(REFUSALS[0]), boto.ClientError), (NO_ANSWER[0], Unreachable)])
def test_a_refused_or_unanswered_batch_is_not_sent_again(
    failure: Exception, error: type[Exception], waits: list[float]
) -> None:
    def call(_: list[Any]) -> list[Any]:
        raise failure

    with pytest.raises(error):
        until_taken(call, [1])
    assert waits == []


def test_no_other_module_of_the_functions_says_what_is_tried_again() -> None:
    codes = {*THROTTLES, *CONFLICTS}
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for file in sorted((ROOT / "handlers").rglob("*.py"))
        if file != POLICY
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in codes
    ]
    assert found == []


def test_no_other_module_of_the_functions_waits() -> None:
    """Operations do: they follow what runs elsewhere, and keep to a pace."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sorted((ROOT / "handlers").rglob("*.py"))
        if file != POLICY and ROOT / "handlers" / "operations" not in file.parents
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node).rpartition(".")[2] == "sleep"
    ]
    assert found == []


def test_two_that_start_from_one_snapshot_do_not_wait_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python's own generator draws is the same in all of them: its state is in the snapshot."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    for _ in range(2):
        random.seed(1)
        for failed in range(1, 6):
            wait(failed)
    assert waited[:5] != waited[5:]
