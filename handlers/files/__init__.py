"""Files of orders: what is in them, and how they get into the pipeline."""
