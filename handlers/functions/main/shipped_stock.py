"""Shipped stock: reserved goods leave the warehouse with their parcel."""

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.inventory.shipped_stock import ship_stock
from handlers.runtime.subscriber import subscriber

handler = subscriber(ship_stock, event_store("subscriber"), dead_letter_queue())
