"""The sweep: every minute it starts the sagas of orders that stand still, without a person."""
