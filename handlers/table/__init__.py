"""The one DynamoDB table: its keys, the event store, and reading many items."""
