"""What runs the functions: AWS clients, batches from queues, saga services, logs, metrics and traces."""
