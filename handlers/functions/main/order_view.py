"""The projection order_view: one item an order, which says where it is."""

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.projections.engine.updating import projecting
from handlers.projections.order_view import ORDER_VIEW

handler = projecting([ORDER_VIEW], event_store(), dead_letter_queue())
