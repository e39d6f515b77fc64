"""The projection customer_history: what each customer ordered and spent."""

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.projections.customer_history import CUSTOMER_HISTORY
from handlers.projections.engine.updating import projecting

handler = projecting(CUSTOMER_HISTORY, event_store(), dead_letter_queue())
