"""Notification: e-mails to customers about their orders."""
