"""Entry point of the saga's ordering service."""

from handlers import saga
from handlers.aws import event_store
from handlers.observability import count
from handlers.ordering import outcome

store = event_store()


def _confirm_order(command: saga.Command) -> None:
    outcome.confirm_order(store, command.order_id)
    count("OrdersConfirmed")


def _start_cancellation(command: saga.Command) -> None:
    outcome.start_cancellation(store, command.order_id, command.refusal or "unknown")


def _cancel_order(command: saga.Command) -> None:
    cancelled = outcome.cancel_order(store, command.order_id)
    count("OrdersCancelled", reason=cancelled.reason)


def _refuse_cancellation(command: saga.Command) -> None:
    outcome.refuse_cancellation(store, command.order_id)


handler = saga.service(
    {
        "confirm_order": _confirm_order,
        "start_cancellation": _start_cancellation,
        "cancel_order": _cancel_order,
        "refuse_cancellation": _refuse_cancellation,
    }
)
