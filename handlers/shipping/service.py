"""Entry point of the sagas' shipping service."""

from handlers import saga
from handlers.aws import event_store
from handlers.books import Books
from handlers.observability import count
from handlers.shipping import shipments
from handlers.shipping.carrier import Carrier
from handlers.shipping.sandbox import SandboxCarrier

store = event_store()
carrier: Carrier = SandboxCarrier(Books(store.client, store.table, "shipping"))


def _arrange_shipment(command: saga.Command) -> None:
    shipments.arrange_shipment(store, carrier, command.order_id)


def _cancel_shipment(command: saga.Command) -> None:
    shipments.cancel_shipment(store, carrier, command.order_id)
    count("Compensations", step="cancel_shipment")


def _recall_shipment(command: saga.Command) -> None:
    shipments.recall_shipment(store, carrier, command.order_id)
    count("Compensations", step="recall_shipment")


handler = saga.service(
    {
        "arrange_shipment": _arrange_shipment,
        "cancel_shipment": _cancel_shipment,
        "recall_shipment": _recall_shipment,
    }
)
