"""Order e-mails: a customer is notified that the order is confirmed, or cancelled, and welcomed."""

from handlers.functions.personal_data import vault
from handlers.functions.resources import dead_letter_queue, event_store, own_queue, setting
from handlers.notification.email_sending import Mailer
from handlers.notification.order_emails import notify
from handlers.runtime import aws
from handlers.runtime.subscriber import subscriber

persons = vault()
mailer = Mailer(aws.ses(), setting("EMAIL_SENDER"), setting("EMAIL_CONFIGURATION_SET"))
handler = subscriber(
    lambda store, record: notify(store, persons, mailer, record),
    event_store("subscriber"),
    dead_letter_queue(),
    own_queue(),
)
