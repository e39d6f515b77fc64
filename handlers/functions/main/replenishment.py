"""Replenishment: a SKU that falls low is ordered from its supplier."""

from functools import partial

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.inventory.replenishment import replenish
from handlers.runtime.subscriber import subscriber

handler = subscriber(partial(replenish, event_store()), dead_letter_queue())
