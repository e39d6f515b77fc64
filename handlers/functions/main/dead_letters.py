"""Dead letters: every message of a dead-letter queue is stored, recorded and counted."""

import json

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.storing import DeadLetterStorage
from handlers.functions.resources import event_store, setting
from handlers.runtime import aws
from handlers.runtime.observability import observed

bucket = DeadLetterBucket(aws.s3(), setting("DEAD_LETTER_BUCKET_NAME"))
sources = {queue: source for source, queue in json.loads(setting("DEAD_LETTER_QUEUES")).items()}
handler = observed(DeadLetterStorage(event_store("subscriber"), bucket, sources).handle)
