"""The sweep: every minute, the sagas of orders that stand still are started."""

from datetime import timedelta
from functools import partial
from typing import Any

from handlers.functions.doors import parties
from handlers.functions.resources import event_store, setting
from handlers.operations.pausing import is_any_paused
from handlers.operations.sagas import Saga, Sagas
from handlers.operations.sweep.sweep import Sweep
from handlers.runtime import aws
from handlers.runtime.observability import observed

live = {Saga.ORDER: setting("ORDER_SAGA_ARN"), Saga.CANCELLATION: setting("CANCELLATION_SAGA_ARN")}
sweep = Sweep(
    event_store(),
    Sagas(aws.stepfunctions(), live),
    parties().shops,
    overdue_after=timedelta(minutes=int(setting("OVERDUE_AFTER_MINUTES"))),
    paused=partial(is_any_paused, aws.lambda_(), setting("QUEUED_FUNCTIONS").split()),
)


def run(_event: dict[str, Any], _context: Any) -> int:
    """One run; returns how many sagas it started."""
    return sweep.run()


handler = observed(run)
