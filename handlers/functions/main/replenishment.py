"""Replenishment: a SKU that falls low is ordered from its supplier."""

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.inventory.replenishment import replenish
from handlers.runtime.subscriber import subscriber

handler = subscriber(replenish, event_store("subscriber"), dead_letter_queue())
