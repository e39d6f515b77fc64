"""The authorizer: tells the gateway what a token's bearer may call, and who that is.

The answer holds for every method, so that the gateway can keep it for the token.
"""

from collections.abc import Mapping
from typing import Any

from handlers.api import tokens
from handlers.intake.callers import OPERATE, READ, WRITE
from handlers.runtime.observability import logger

_METHODS: Mapping[str, tuple[str, ...]] = {READ: ("GET",), WRITE: ("POST",), OPERATE: ("GET", "POST")}
_BEARER = "bearer "


def policy(method_arn: str, claims: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to the gateway: which methods of its stage the scopes allow; none where there is no scope of ours.

    Source: API Gateway developer guide, "Output from an API Gateway Lambda authorizer".
    """
    stage = "/".join(method_arn.split("/")[:2])
    granted = tokens.scopes(claims, list(_METHODS))
    methods = sorted({method for scope in granted for method in _METHODS[scope]})
    return {
        "principalId": tokens.customer_id(claims),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if methods else "Deny",
                    "Resource": [f"{stage}/{method}/*" for method in methods or ("*",)],
                }
            ],
        },
        "context": {"customer_id": tokens.customer_id(claims), "scopes": " ".join(granted)},
    }


class Authorizer:
    """Answers the gateway's question who may call."""

    def __init__(self, verifier: tokens.Verifier) -> None:
        self._verifier = verifier

    def handle(self, event: dict[str, Any], _context: Any) -> dict[str, Any]:
        """The policy for the bearer of a token.

        Raises:
            Unauthorized: the token proves nothing.
        """
        header = event["authorizationToken"]
        if not header.lower().startswith(_BEARER):
            raise Unauthorized
        try:
            return policy(event["methodArn"], self._verifier.claims(header[len(_BEARER) :].strip()))
        except tokens.InvalidToken as invalid:
            logger.info("token refused", because=str(invalid))
            raise Unauthorized from None


class Unauthorized(Exception):
    """The gateway answers 401 to an error with exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
