"""The sagas' ordering service."""

from handlers.functions.resources import event_store
from handlers.ordering.outcome import cancel_order, confirm_order, refuse_cancellation, start_cancellation
from handlers.runtime.saga_service import service

store = event_store("saga")
handler = service(
    {
        "confirm_order": lambda command: confirm_order(store, command.order_id),
        "start_cancellation": lambda command: start_cancellation(store, command.order_id, command.refusal or "unknown"),
        "cancel_order": lambda command: cancel_order(store, command.order_id),
        "refuse_cancellation": lambda command: refuse_cancellation(store, command.order_id),
    }
)
