"""Shipped stock: reserved goods leave the warehouse with their parcel."""

from functools import partial

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.inventory.shipped_stock import ship_stock
from handlers.runtime.subscriber import subscriber

handler = subscriber(partial(ship_stock, event_store()), dead_letter_queue())
