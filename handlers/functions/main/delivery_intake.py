"""Delivery intake: goods that arrived become stock."""

from handlers.functions.doors import parties
from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.messages import intake
from handlers.inventory.deliveries import receive

handler = intake({"StockDelivered": receive}, event_store(), parties(), dead_letter_queue())
