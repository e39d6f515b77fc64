"""What functions share: what holds data, the intake bus, the audit copy, and what e-mails are sent with."""

from constructs import Construct

from infra.constructs.audit_copy import AuditCopy
from infra.constructs.buses import IntakeBus
from infra.constructs.data_resources import DataResources
from infra.constructs.email import Mail
from infra.settings.environment import Settings


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
        self.mail = Mail(scope, "Mail", environment, settings.email)
