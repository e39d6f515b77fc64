"""Entry point of the authorizer: tells the gateway what a token's bearer may call, and who that is.

The answer holds for every method, so that the gateway can keep it for the token.
"""

import os
from collections.abc import Mapping
from typing import Any

from handlers.api import tokens
from handlers.callers import OPERATE, READ, WRITE
from handlers.observability import logger, observed

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


verifier = tokens.Verifier(
    os.environ["JWT_ISSUER"], os.environ["JWT_AUDIENCE"].split(), tokens.issuer_keys(os.environ["JWT_JWKS_URL"])
)


def _handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    header = event["authorizationToken"]
    if not header.lower().startswith(_BEARER):
        raise Unauthorized
    try:
        return policy(event["methodArn"], verifier.claims(header[len(_BEARER) :].strip()))
    except tokens.InvalidToken as invalid:
        logger.info("token refused", because=str(invalid))
        raise Unauthorized from None


class Unauthorized(Exception):
    """The gateway answers 401 to an error with exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


handler = observed(_handler)
