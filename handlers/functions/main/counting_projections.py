"""The projections that count: one function keeps them all."""

from handlers.functions.resources import dead_letter_queue, event_store, own_queue
from handlers.projections.counting_projections import COUNTING_PROJECTIONS
from handlers.projections.engine.updating import projecting

handler = projecting(COUNTING_PROJECTIONS, event_store(), dead_letter_queue(), own_queue())
