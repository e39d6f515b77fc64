"""Order intake: submissions and cancellation requests become events, or dead-letter messages with reasons."""

from handlers.functions.doors import parties
from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.messages import intake
from handlers.ordering.order_requests import request_cancellation, submit

handler = intake(
    {"OrderSubmitted": submit, "OrderCancellationRequested": request_cancellation},
    event_store(),
    parties(),
    dead_letter_queue(),
)
