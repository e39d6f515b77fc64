"""The welcome e-mail: a customer's first confirmed order brings one."""

from handlers.functions.resources import dead_letter_queue, event_store, setting
from handlers.notification.welcome_email import welcome
from handlers.runtime import aws
from handlers.runtime.subscriber import subscriber

ses, sender = aws.ses(), setting("EMAIL_SENDER")
handler = subscriber(
    lambda store, record: welcome(store, ses, sender, record), event_store("subscriber"), dead_letter_queue()
)
