"""The outbox: every appended event goes on the orders bus."""

from handlers.functions.resources import setting
from handlers.outbox import Outbox
from handlers.runtime import aws
from handlers.runtime.observability import observed

outbox = Outbox(aws.eventbridge(), aws.sqs(), setting("ORDERS_BUS_NAME"), setting("DEAD_LETTER_QUEUE_URL"))
handler = observed(lambda event, _context: outbox.publish(event["Records"]))
