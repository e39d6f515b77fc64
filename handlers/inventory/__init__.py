"""Inventory: receives deliveries, reserves stock for orders, and replenishes what runs low."""
