"""Inventory: puts deliveries on the shelf, sets goods aside for orders, and tells when a SKU runs low."""
