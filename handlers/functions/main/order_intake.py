"""Order intake: submissions and cancellation requests become events, or dead-letter messages with reasons."""

from functools import partial

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.messages import intake
from handlers.ordering.order_requests import request_cancellation, submit

store = event_store()
handler = intake(
    {
        "OrderSubmitted": partial(submit, store),
        "OrderCancellationRequested": partial(request_cancellation, store),
    },
    dead_letter_queue(),
)
