"""The projection daily_sales: what was sold on each day."""

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.projections.daily_sales import DAILY_SALES
from handlers.projections.engine.updating import projecting

handler = projecting(DAILY_SALES, event_store(), dead_letter_queue())
