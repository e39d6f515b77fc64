"""Logs, metrics and traces, the same in every function: the order id is correlation id and trace annotation.

What goes well is not logged: the event log has it, and each line is paid for, for each order.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

from handlers.runtime.tracing import WithoutMessages

if TYPE_CHECKING:
    from aws_lambda_powertools.tracing import Tracer

logger = Logger(use_rfc3339=True)
"""Its time stamps are in the form by which Lambda finds the level of a line."""
metrics = Metrics()
warnings.filterwarnings("ignore", "No application metrics to publish")

Handler = Callable[[dict[str, Any], Any], Any]


def observed(handler: Handler) -> Handler:
    """A handler that logs with its request's id, flushes its metrics, and is traced where X-Ray samples it.

    Nothing that it answers is in the trace, and of what it raises the class alone. The X-Ray SDK takes longer to import
    than all the rest together, so it is loaded for sampled invocations only.
    """
    logged = logger.inject_lambda_context(handler, clear_state=True)
    measured: Handler = metrics.log_metrics(logged)

    @wraps(handler)
    def observing(event: dict[str, Any], context: Any) -> Any:
        if _sampled():
            traced = _tracer().capture_lambda_handler(measured, capture_response=False, capture_error=False)
            return traced(event, context)
        return measured(event, context)

    return observing


@contextmanager
def about(order_id: str, work: str) -> Iterator[None]:
    """Everything logged and traced inside belongs to this order; ``work`` names the trace's subsegment."""
    logger.set_correlation_id(order_id)
    if not _sampled():
        yield
        return
    with _tracer().provider.in_subsegment(f"## {work}") as subsegment:
        subsegment.put_annotation("order_id", order_id)
        yield


def count(metric: str, **dimensions: str) -> None:
    """Count one of something, by dimensions where there are any."""
    if not dimensions:
        metrics.add_metric(metric, MetricUnit.Count, 1)
        return
    with single_metric(metric, MetricUnit.Count, 1) as own:
        for name, value in dimensions.items():
            own.add_dimension(name, value)


def lag(metric: str, since: datetime) -> None:
    """Record how long ago something happened, in whole milliseconds: each digit is paid for, for each event."""
    metrics.add_metric(metric, MetricUnit.Milliseconds, (datetime.now(UTC) - since) // timedelta(milliseconds=1))


def _sampled() -> bool:
    return "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", "")


@cache
def _tracer() -> Tracer:
    from aws_lambda_powertools.tracing import Tracer  # noqa: PLC0415 - see observed()

    tracer = Tracer()
    recorder: Any = tracer.provider
    recorder.configure(emitter=WithoutMessages(recorder.emitter))
    return tracer
