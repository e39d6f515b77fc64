"""The OpenAPI document keeps its word: no request made up from it meets a 5xx or an answer it does not tell of."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.builders.shops import Shop

# A cursor fits its schema and was never given out; 1.0 is an integer to OpenAPI 3.1, and none to the gateway's draft 4.
REFUSED_ALL_THE_SAME = [positive_data_acceptance]
OPERATIONS = [
    ("GET", "/orders"),
    ("POST", "/orders"),
    ("GET", "/orders/{order_id}"),
    ("GET", "/orders/{order_id}/events"),
    ("POST", "/orders/{order_id}/cancellation"),
    ("GET", "/stock/{sku}"),
]


@pytest.fixture(scope="module")
def document(shop: Shop) -> Any:
    schema = schemathesis.openapi.from_dict(shop.ask("GET", "/openapi.json").json)
    schema.config.update(base_url=shop.url)
    return schema


def test_every_operation_is_tried(document: Any) -> None:
    operations = [each.ok() for each in document.get_all_operations() if isinstance(each, Ok)]
    assert sorted((each.method.upper(), each.path) for each in operations) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_document_holds(document: Any, shop: Shop, method: str, path: str) -> None:
    @given(case=document[path][method].as_strategy())
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    def holds(case: Any) -> None:
        case.call_and_validate(headers=shop.headers(), excluded_checks=REFUSED_ALL_THE_SAME)

    holds()
