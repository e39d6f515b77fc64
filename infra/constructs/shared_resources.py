"""What functions share: what holds data, the intake bus, the audit copy, and the address that e-mails come from."""

from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.constructs.audit_copy import AuditCopy
from infra.constructs.buses import IntakeBus
from infra.constructs.data_resources import DataResources
from infra.settings.environment import EmailSettings, Settings


class SharedResources:
    """They are made in `scope`, but for those that hold data."""

    def __init__(self, scope: Construct, environment: str, settings: Settings, data: DataResources) -> None:
        self.table = data.table
        self.vault = data.vault
        self.rejection_key = data.rejection_key
        self.orders = data.orders
        self.stream_failures = data.stream_failures
        self.files = data.files
        self.dead_letters = data.dead_letters
        self.erasures = data.erasures
        self.intake = IntakeBus(scope, "IntakeBus", environment)
        self.audit_copy = AuditCopy(scope, "AuditCopy", data.audit_copy, self.orders)
        self.email_sender = settings.email.sender
        self.sender = _sender(scope, settings.email)


def _sender(scope: Construct, email: EmailSettings) -> ses.IEmailIdentity:
    """The identity in SES that may send: one that is there, or a new one of the sender's address."""
    if email.identity:
        return ses.EmailIdentity.from_email_identity_name(scope, "Sender", email.identity)
    return ses.EmailIdentity(scope, "Sender", identity=ses.Identity.email(email.sender))
