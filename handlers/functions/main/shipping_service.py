"""The sagas' shipping service. A carrier takes the place of the sandbox here."""

from handlers.functions.personal_data import vault
from handlers.functions.resources import event_store, sandbox_books
from handlers.runtime.saga_service import service
from handlers.shipping.carrier import Carrier
from handlers.shipping.sandbox_carrier import SandboxCarrier
from handlers.shipping.shipment_steps import arrange_shipment, cancel_shipment, recall_shipment

store = event_store("saga")
persons = vault()
carrier: Carrier = SandboxCarrier(sandbox_books("shipping"))
handler = service(
    {"arrange_shipment": lambda command: arrange_shipment(store, persons, carrier, command.order_id)},
    compensations={
        "cancel_shipment": lambda command: cancel_shipment(store, carrier, command.order_id),
        "recall_shipment": lambda command: recall_shipment(store, carrier, command.order_id),
    },
)
