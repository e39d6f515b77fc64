"""The projection stock_view: received, reserved and shipped goods of each SKU."""

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.projections.engine.updating import projecting
from handlers.projections.stock_view import STOCK_VIEW

handler = projecting(STOCK_VIEW, event_store(), dead_letter_queue())
