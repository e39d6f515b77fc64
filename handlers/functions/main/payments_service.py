"""The sagas' payments service. A payment gateway takes the place of the sandbox here."""

from handlers.functions.personal_data import payment_tokens
from handlers.functions.resources import event_store, sandbox_books
from handlers.payments.payment_gateway import PaymentGateway
from handlers.payments.payment_steps import authorize_payment, capture_payment, refund_payment
from handlers.payments.sandbox_gateway import SandboxGateway
from handlers.runtime.saga_service import service

store = event_store("saga")
tokens = payment_tokens()
gateway: PaymentGateway = SandboxGateway(sandbox_books("payments"))
handler = service(
    {
        "authorize_payment": lambda command: authorize_payment(store, tokens, gateway, command.order_id),
        "capture_payment": lambda command: capture_payment(store, gateway, command.order_id),
    },
    compensations={"refund_payment": lambda command: refund_payment(store, tokens, gateway, command.order_id)},
)
