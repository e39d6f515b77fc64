"""Order e-mails: a customer is notified that the order is confirmed, or cancelled."""

from handlers.functions.personal_data import vault
from handlers.functions.resources import dead_letter_queue, event_store, own_queue, setting
from handlers.notification.order_emails import notify
from handlers.runtime import aws
from handlers.runtime.subscriber import subscriber

persons, ses, sender = vault(), aws.ses(), setting("EMAIL_SENDER")
handler = subscriber(
    lambda store, record: notify(store, persons, ses, sender, record),
    event_store("subscriber"),
    dead_letter_queue(),
    own_queue(),
)
