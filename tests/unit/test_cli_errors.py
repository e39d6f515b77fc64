"""What the command line says of an error, in one line."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handlers.retry_policy import Contended, classified
from infra.cli.explaining import explained

BUSY = ClientError({"Error": {"Code": "ThrottlingException", "Message": "too\nmuch"}}, "PutItem")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (BUSY, "AWS refused PutItem: ThrottlingException: too much"),
        (
            EndpointConnectionError(endpoint_url="https://here"),
            'Could not connect to the endpoint URL: "https://here"',
        ),
    ],
)
def test_of_an_error_to_be_retried_it_says_what_aws_said(failure: Exception, expected: str) -> None:
    with pytest.raises(Exception) as raised, classified():  # noqa: PT011 - whatever it is classified as
        raise failure
    explanation = explained(raised.value)
    assert explanation is not None
    assert " ".join(str(explanation).split()) == expected


def test_a_lost_race_is_explained_too() -> None:
    said = explained(Contended("order#demo.o1 is being written by too many others"))
    assert str(said) == "order#demo.o1 is being written by too many others; try again"


def test_what_may_be_a_bug_is_not_explained() -> None:
    assert explained(KeyError("order_id")) is None
