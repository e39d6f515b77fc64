"""Settings: a file for each environment, which says who is let in, and what is deployed how."""
