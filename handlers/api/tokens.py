"""Tokens: whether one is genuine and meant for us, and what it lets its bearer do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt

from handlers.intake.parties import ANY

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 10
_FETCH_SECONDS = 3
_KEYS_SECONDS = 3600
_LONGEST = 256
# The gateway writes who called into JSON as it is: what could end a text there is percent-encoded.
_PLAIN = "!#$&'()*+,/:;<=>?@[]^`{|} "
# RFC 9068, OpenID Connect Core, and what Okta calls it.
_CLIENT_CLAIMS = ("client_id", "azp", "cid")


class InvalidToken(Exception):
    """The token proves nothing; the message says why, without the token."""


@dataclass(frozen=True)
class Verifier:
    """Checks tokens of one issuer.

    Args:
        issuer: what the claim ``iss`` must be.
        audience: what ``aud`` may be, or, in a token without one, ``client_id``: access tokens of Cognito have none;
            ``*`` stands for any.
        keys: the issuer's public keys, by the id in a token's header.
    """

    issuer: str
    audience: Sequence[str]
    keys: jwt.PyJWKClient

    def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a genuine, current access token that is meant for us.

        Cognito says by ``token_use`` which of its tokens are; other issuers do not have that claim.

        Raises:
            InvalidToken: it is not.
            jwt.PyJWTError: the issuer's keys cannot be had, so nothing is known about the token.
        """
        try:
            key = self.keys.get_signing_key_from_jwt(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError):
            raise
        except jwt.PyJWTError as invalid:
            raise InvalidToken(type(invalid).__name__) from invalid
        self._check_audience(claims)
        if claims.get("token_use", "access") != "access":
            raise InvalidToken("only access tokens are let in")
        if not claims["sub"]:
            raise InvalidToken("the token names nobody")
        return claims

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        named = claims.get("aud", claims.get("client_id"))
        listed = [ANY, *(named if isinstance(named, list) else [named])]
        if not any(name in self.audience for name in listed):
            raise InvalidToken("the token is meant for somebody else")


def issuer_keys(jwks_url: str) -> jwt.PyJWKClient:
    """The public keys that an issuer publishes, fetched when they are first needed and kept for an hour."""
    return jwt.PyJWKClient(jwks_url, cache_jwk_set=True, lifespan=_KEYS_SECONDS, timeout=_FETCH_SECONDS)


def subject(claims: Mapping[str, Any]) -> str:
    """Who the bearer is to the issuer."""
    return _plain(claims["sub"])


def client(claims: Mapping[str, Any]) -> str:
    """The client that the token was given to; the subject where no claim says."""
    return _plain(next((claims[name] for name in _CLIENT_CLAIMS if claims.get(name)), claims["sub"]))


def scopes(claims: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """The scopes of a token among those known: ``scope`` is space separated (RFC 8693), ``scp`` a list elsewhere."""
    granted = claims.get("scope", claims.get("scp", ""))
    listed = granted.split() if isinstance(granted, str) else granted or ()
    return [scope for scope in known if scope in listed]


def _plain(named: Any) -> str:
    return quote(str(named), safe=_PLAIN, errors="replace")[:_LONGEST]
