"""Entry point of the saga's payment service."""

from handlers import saga
from handlers.aws import event_store
from handlers.books import Books
from handlers.observability import count
from handlers.payments import payments
from handlers.payments.gateway import PaymentGateway
from handlers.payments.sandbox import SandboxGateway

store = event_store()
gateway: PaymentGateway = SandboxGateway(Books(store.client, store.table, "payments"))


def _authorize_payment(command: saga.Command) -> None:
    payments.authorize_payment(store, gateway, command.order_id)


def _capture_payment(command: saga.Command) -> None:
    payments.capture_payment(store, gateway, command.order_id)


def _refund_payment(command: saga.Command) -> None:
    payments.refund_payment(store, gateway, command.order_id)
    count("Compensations", step="refund_payment")


handler = saga.service(
    {
        "authorize_payment": _authorize_payment,
        "capture_payment": _capture_payment,
        "refund_payment": _refund_payment,
    }
)
