"""The authorizer: tells the gateway what a token's bearer may call, who that is, and on which key's plan it counts.

The answer holds for every method, so that the gateway can keep it for the token.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.api import tokens
from handlers.intake.callers import OPERATE, READ, WRITE
from handlers.intake.parties import OPERATORS, Parties
from handlers.runtime.observability import logger

_METHODS: Mapping[str, Sequence[str]] = {
    READ: ("GET/*",),
    WRITE: ("POST/*",),
    OPERATE: ("GET/*", "POST/orders/*/cancellation"),
}
_BEARER = "bearer "


def plan_key(environment: str, who: str) -> str:
    """The value of the API key on whose plan a shop's requests count, or the operators'. An account has it but once.

    It is no secret: the gateway takes it from the authorizer alone, never from a request.
    """
    return f"order-pipeline-{environment}-plan-of-{who}"


def policy(method_arn: str, claims: Mapping[str, Any], parties: Parties, environment: str) -> dict[str, Any]:
    """The answer to the gateway: which methods of its stage the scopes allow.

    None are allowed where there is no scope of ours, nor to a client that is no shop's and no operator's.

    Source: API Gateway developer guide, "Output from an API Gateway Lambda authorizer".
    """
    stage = "/".join(method_arn.split("/")[:2])
    granted = tokens.scopes(claims, list(_METHODS))
    operates = OPERATE in granted
    shop = None if operates else parties.shop_of_token(claims, tokens.client(claims))
    # Orders are placed by shops, and an operator is none.
    used = [OPERATE] if operates else granted if shop else []
    allowed = sorted({path for scope in used for path in _METHODS[scope]})
    return {
        "principalId": tokens.subject(claims),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if allowed else "Deny",
                    "Resource": [f"{stage}/{path}" for path in allowed or ("*",)],
                }
            ],
        },
        "context": {
            "subject": tokens.subject(claims),
            "client": tokens.client(claims),
            "scopes": " ".join(granted),
            "shop": shop or "",
        },
        "usageIdentifierKey": plan_key(environment, shop or OPERATORS),
    }


class Authorizer:
    """Answers the gateway's question who may call."""

    def __init__(self, verifier: tokens.Verifier, parties: Parties, environment: str) -> None:
        self._verifier = verifier
        self._parties = parties
        self._environment = environment

    def handle(self, event: dict[str, Any], _context: Any) -> dict[str, Any]:
        """The policy for the bearer of a token.

        Raises:
            Unauthorized: the token proves nothing.
        """
        header = event["authorizationToken"]
        if not header.lower().startswith(_BEARER):
            raise Unauthorized
        try:
            claims = self._verifier.claims(header[len(_BEARER) :].strip())
        except tokens.InvalidToken as invalid:
            logger.info("token refused", because=str(invalid))
            raise Unauthorized from None
        return policy(event["methodArn"], claims, self._parties, self._environment)


class Unauthorized(Exception):
    """The gateway answers 401 to an error with exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
