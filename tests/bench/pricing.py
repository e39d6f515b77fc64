"""What is counted of orders, priced at AWS's list prices (`prices.json` has their date and sources). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PRICES: Mapping[str, Any] = json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))
USD: Mapping[str, float] = PRICES["usd"]

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
