"""Delivery intake: goods that arrived become stock."""

from functools import partial

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.messages import intake
from handlers.inventory.deliveries import receive

handler = intake({"StockDelivered": partial(receive, event_store())}, dead_letter_queue())
