"""Shipping: arranges with a carrier that an order is collected, and cancels that."""
