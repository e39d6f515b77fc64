"""Order intake: submissions and cancellation requests become events, or dead-letter messages with reasons."""

from functools import cache

from handlers.functions.doors import parties
from handlers.functions.personal_data import payment_tokens, vault
from handlers.functions.resources import dead_letter_queue, event_store, setting
from handlers.intake.messages import intake
from handlers.ordering.order_requests import refuse_unknown_order, request_cancellation, submit
from handlers.runtime import aws
from handlers.vault.rejection_key import RejectionKey

persons, tokens = vault(), payment_tokens()
rejection_key = RejectionKey(cache(aws.secretsmanager), setting("REJECTION_KEY_ARN"))
handler = intake(
    {
        "OrderSubmitted": lambda store, request: submit(store, persons, tokens, rejection_key, request),
        "OrderCancellationRequested": lambda store, request: request_cancellation(store, persons, request),
    },
    event_store(),
    parties(),
    dead_letter_queue(),
    too_early={"OrderCancellationRequested": refuse_unknown_order},
)
