"""File import: a file dropped into the bucket becomes submissions."""

from handlers.files.import_requests import FileImports
from handlers.functions.doors import parties
from handlers.functions.resources import dead_letter_queue, setting
from handlers.runtime import aws
from handlers.runtime.observability import observed

handler = observed(
    FileImports(
        dynamodb=aws.dynamodb(),
        s3=aws.s3(),
        sqs=aws.sqs(),
        table=setting("TABLE_NAME"),
        own_queue=setting("OWN_QUEUE_URL"),
        order_queue=setting("ORDER_QUEUE_URL"),
        parties=parties(),
        dead_letters=dead_letter_queue(),
    ).handle
)
