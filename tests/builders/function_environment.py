"""The environment variables that functions read when they start."""

_QUEUE = "https://sqs.eu-west-1.amazonaws.com/000000000000"

FUNCTION_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "TABLE_NAME": "orders",
    "ORDERS_BUS_NAME": "orders",
    "ORDERS_BUS_ARN": "arn:aws:events:eu-west-1:000000000000:event-bus/orders",
    "ARCHIVE_ARN": "arn:aws:events:eu-west-1:000000000000:archive/orders",
    "OWN_QUEUE_URL": f"{_QUEUE}/files",
    "ORDER_QUEUE_URL": f"{_QUEUE}/orders",
    "DEAD_LETTER_QUEUE_URL": f"{_QUEUE}/dead-letters",
    "DEAD_LETTER_QUEUES": "{}",
    "DEAD_LETTER_BUCKET_NAME": "dead-letter-bucket",
    "EMAIL_SENDER": "orders@example.com",
    "JWT_ISSUER": "https://issuer.example.com",
    "JWT_AUDIENCE": "shop",
    "JWT_JWKS_URL": "https://issuer.example.com/keys",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "OrderPipeline",
}
