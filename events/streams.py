"""Streams: which there are, what they are called, and which context they belong to."""

from events.shops import own_id, shop_of

CONTEXTS = {
    "order": "ordering",
    "rejection": "ordering",
    "cancellation": "ordering",
    "unknown-order": "ordering",
    "reservation": "inventory",
    "delivery": "inventory",
    "stock": "inventory",
    "purchase": "inventory",
    "payment": "payments",
    "shipment": "shipping",
    "notification": "notification",
    "customer": "notification",
    "dead-letter": "operations",
    "erasure": "privacy",
}
"""The context of each kind of stream."""

PUBLISHED = tuple(kind for kind, context in CONTEXTS.items() if context != "notification")
"""The kinds whose events go on the orders bus. Those of e-mails stay in the log: they are the notifiers' own memory."""


def is_published(stream: str) -> bool:
    """Whether the events of a stream go on the orders bus."""
    return stream.partition("#")[0] in PUBLISHED


def source(stream: str) -> str:
    """The EventBridge source of a stream's events: ``order#1`` is published by ``orders.ordering``."""
    kind, _, _ = stream.partition("#")
    return f"orders.{CONTEXTS[kind]}"


def order(order_id: str) -> str:
    """The order's own stream."""
    return f"order#{order_id}"


def rejection(order_id: str, content_hash: str) -> str:
    """The stream of one refused submission, apart from the order's own so that a corrected one is welcome."""
    return f"rejection#{order_id}#{content_hash}"


def cancellation(order_id: str) -> str:
    """What became of a request to cancel an order that was confirmed."""
    return f"cancellation#{order_id}"


def unknown_order(order_id: str) -> str:
    """What became of a request to cancel an order that its shop did not have."""
    return f"unknown-order#{order_id}"


def reservation(order_id: str) -> str:
    """The stock reserved for an order."""
    return f"reservation#{order_id}"


def payment(order_id: str) -> str:
    """The payment of an order."""
    return f"payment#{order_id}"


def shipment(order_id: str) -> str:
    """The shipment of an order."""
    return f"shipment#{order_id}"


def delivery(delivery_id: str) -> str:
    """One delivery to the warehouse."""
    return f"delivery#{delivery_id}"


def stock(sku: str) -> str:
    """The crossings of a SKU's stock level below its threshold."""
    return f"stock#{sku}"


def purchase(purchase_order_id: str) -> str:
    """One order with a supplier."""
    return f"purchase#{purchase_order_id}"


def notification(order_id: str) -> str:
    """The e-mails to a customer about an order."""
    return f"notification#{order_id}"


def customer(customer_id: str) -> str:
    """The e-mails to a shop's customer that are not about one order: the welcome."""
    return f"customer#{customer_id}"


def dead_letter(message_id: str) -> str:
    """The failures of a message that no retry could handle."""
    return f"dead-letter#{message_id}"


def erasure(order_id: str) -> str:
    """That what is personal about an order was erased."""
    return f"erasure#{order_id}"


def customer_erasure(customer_id: str) -> str:
    """That everything personal about a shop's customer was erased."""
    return f"erasure#{shop_of(customer_id)}#{own_id(customer_id)}"
