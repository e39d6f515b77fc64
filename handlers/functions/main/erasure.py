"""The erasure: the step of its state machine."""

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.functions.doors import parties
from handlers.functions.personal_data import forgetting
from handlers.functions.resources import event_store, setting
from handlers.operations.erasure.entry import erasing
from handlers.operations.erasure.erase import Erasure
from handlers.operations.erasure.ledger import Ledger
from handlers.runtime import aws

client = aws.s3()
dead_letters = DeadLetterBucket(client, setting("DEAD_LETTER_BUCKET_NAME"))
ledger = Ledger(client, setting("ERASURE_LEDGER_NAME"))
handler = erasing(Erasure(event_store(), forgetting(), dead_letters, ledger, parties()))
