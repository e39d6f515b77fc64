"""The one DynamoDB table: its keys, the event store, reading many items, and retrying."""
