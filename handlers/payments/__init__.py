"""Payments: authorizes, captures, voids and refunds, through a payment gateway."""
