"""Payments: authorizes, captures and gives back, through a payment gateway."""
