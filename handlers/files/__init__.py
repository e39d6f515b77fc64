"""Files of orders: what is in them, and their way into the pipeline."""
