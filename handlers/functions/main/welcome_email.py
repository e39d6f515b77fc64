"""The welcome e-mail: a customer's first confirmed order brings one."""

from handlers.functions.personal_data import vault
from handlers.functions.resources import dead_letter_queue, event_store, own_queue, setting
from handlers.notification.email_sending import Mailer
from handlers.notification.welcome_email import welcome
from handlers.runtime import aws
from handlers.runtime.subscriber import subscriber

persons = vault()
mailer = Mailer(aws.ses(), setting("EMAIL_SENDER"), setting("EMAIL_CONFIGURATION_SET"))
handler = subscriber(
    lambda store, record: welcome(store, persons, mailer, record),
    event_store("subscriber"),
    dead_letter_queue(),
    own_queue(),
)
