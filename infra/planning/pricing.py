"""What is counted of orders, priced at AWS's list prices (`prices.json` has their date and sources). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PRICES: Mapping[str, Any] = json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))
USD: Mapping[str, float] = PRICES["usd"]

GIGABYTE = 1024**3
FULL_PROCESSOR = 1769
"""The memory in MB with which a function has a whole processor. Source: AWS Lambda Developer Guide, on memory."""
SECONDS_OF_A_CALL = 0.006
"""What a call of DynamoDB, SQS or EventBridge takes a function on AWS: an assumption, not measured here."""
FIREHOSE_STEP = 5 * 1024
"""In how many bytes Firehose bills each record."""
AUDIT_OBJECT_SECONDS = 60
"""How long the audit copy gathers events for an object."""
_EXPRESS_CHUNK_GIGABYTES = 64 / 1024
"""What an execution with little data is billed for: memory comes in chunks of 64 MB."""
_TRACED_A_SECOND, _TRACED_SHARE = 1, 0.05
"""What X-Ray samples by default: the first of each second, and this share of the rest."""


def express_gigabyte_seconds(seconds: float) -> float:
    """What an Express execution is billed for that takes so long."""
    return seconds * _EXPRESS_CHUNK_GIGABYTES


def traces(calls: float, seconds: float) -> float:
    """How many calls of functions are traced at most: each is taken for a trace of its own."""
    return min(calls, seconds * _TRACED_A_SECOND + calls * _TRACED_SHARE)


_PRICED: Mapping[str, Mapping[str, str]] = {
    "step_functions": {
        "express_requests": "express_request",
        "express_gb_seconds": "express_gb_second",
        "state_transitions": "state_transition",
    },
    "lambda": {"function_calls": "lambda_request", "function_gb_seconds": "lambda_gb_second_arm"},
    "eventbridge": {"put_events_entries": "put_events_entry", "archived_gigabytes": "archived_gigabyte"},
    "sqs": {"sqs_requests": "sqs_request"},
    "dynamodb": {"write_units": "dynamodb_write_unit", "read_units": "dynamodb_read_unit"},
    "logs": {"log_gigabytes": "logs_gigabyte"},
    "xray": {"traces": "trace"},
    "firehose": {"firehose_gigabytes": "firehose_gigabyte"},
    "s3": {"s3_puts": "s3_put"},
}
_BESIDES: Mapping[str, Mapping[str, str]] = {
    "ses": {"emails": "email"},
    "door": {"api_requests": "api_request"},
}
"""What not every order causes: e-mails, and the HTTP API where the order came by it."""


def priced(counts: Mapping[str, float]) -> dict[str, float]:
    """US dollars by service, `total` of them, and `with_everything`: with e-mails and the HTTP API, too.

    ``counts``: each as `_PRICED` names it. Write units are all that begin so: by the projections and the vault as well.
    Deliveries to queues, reads of a table's stream by functions, and what AWS writes into logs where systems' lines are
    at WARN, cost nothing.
    """
    units = {**counts, "write_units": sum(number for key, number in counts.items() if key.startswith("write_units"))}

    def of(services: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
        return {
            service: sum(units.get(count, 0) * USD[price] for count, price in prices.items())
            for service, prices in services.items()
        }

    always, besides = of(_PRICED), of(_BESIDES)
    total = sum(always.values())
    return {**always, "total": total, **besides, "with_everything": total + sum(besides.values())}
