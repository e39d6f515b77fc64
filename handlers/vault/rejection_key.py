"""The environment's key for the content hashes of rejected submissions, which have no item in the vault.

So the hash in a rejection tells a repeated submission from another one, and tells nothing to who has the log alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_SECONDS = 300.0
"""For how long the key is used without being read again."""


class RejectionKey:
    """The key, read from Secrets Manager when it is first needed, and kept for a while.

    Args:
        client: gives a client of Secrets Manager; it is called for the first rejection, for most calls need none.
        secret: the ARN or name of the secret.
    """

    def __init__(self, client: Callable[[], SecretsManagerClient], secret: str) -> None:
        self._client = client
        self._secret = secret
        self._known: tuple[float, bytes] | None = None

    def read(self) -> bytes:
        """The key.

        Raises:
            ClientError: Secrets Manager refuses.
        """
        now = time.monotonic()
        if self._known is None or now - self._known[0] > KEPT_SECONDS:
            self._known = now, self._client().get_secret_value(SecretId=self._secret)["SecretString"].encode()
        return self._known[1]
