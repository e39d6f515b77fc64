"""What the functions share that meet personal data: the vault."""

from datetime import UTC, datetime

from handlers.functions.resources import setting
from handlers.runtime import aws
from handlers.vault.forgetting import Forgetting
from handlers.vault.payment_tokens import PaymentTokens
from handlers.vault.vault import Vault


def vault() -> Vault:
    """The persons in the vault."""
    return Vault(aws.dynamodb(), setting("VAULT_TABLE_NAME"))


def payment_tokens() -> PaymentTokens:
    """The payment tokens in the vault."""
    return PaymentTokens(aws.dynamodb(), setting("VAULT_TABLE_NAME"), lambda: datetime.now(UTC))


def forgetting() -> Forgetting:
    """What deletes from the vault."""
    return Forgetting(aws.dynamodb(), setting("VAULT_TABLE_NAME"))
