"""An issuer of tokens: its keys, and the address on the loopback interface where it publishes them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "shop"
SUBJECT = "0b7ac1f5-2f7e-4a44-9a65-5d2c1f0e9d3b"
ALGORITHMS = ("RS256", "ES256")


@cache
def private_key(name: str) -> RSAPrivateKey | EllipticCurvePrivateKey:
    """A key of that name: RSA if it begins so, else on the curve P-256."""
    return rsa_key(65537, 2048) if name.startswith("RS") else elliptic_key(SECP256R1())


def jwk(name: str) -> dict[str, Any]:
    """The public key of that name, as an issuer publishes it."""
    key = private_key(name)
    if isinstance(key, RSAPrivateKey):
        made = RSAAlgorithm.to_jwk(key, as_dict=True)
    else:
        made = ECAlgorithm.to_jwk(key, as_dict=True)
    public = {part: value for part, value in made.items() if part in {"kty", "n", "e", "crv", "x", "y"}}
    return {**public, "kid": name, "use": "sig", "alg": name[:5]}


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; a claim changed to None is left out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "exp": now + 600, "scope": "orders/read"}
    return {name: value for name, value in {**said, **changed}.items() if value is not None}


def token(key: str = "RS256", kid: str | None = None, **changed: Any) -> str:
    """A token signed with the key of that name."""
    return jwt.encode(claims(**changed), private_key(key), key[:5], headers={"kid": kid or key})


def assembled(header: Mapping[str, Any], payload: Any, signature: bytes) -> str:
    """A token of these parts, whether or not they belong together."""
    return ".".join(encoded(part) for part in (json.dumps(header).encode(), json.dumps(payload).encode(), signature))


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


class Keys:
    """What an issuer publishes at ``url``; ``body`` is sent as it is, ``fetched`` says how often."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fetched = 0
        self.status = 200
        self.body = b""
        self.publish(*ALGORITHMS)

    def publish(self, *names: str) -> None:
        """From now on, these keys and no others."""
        self.body = json.dumps({"keys": [jwk(name) for name in names]}).encode()


@contextmanager
def published_keys() -> Iterator[Keys]:
    """An issuer's key set, on the loopback interface."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.fetched += 1
            self.send_response(keys.status)
            self.send_header("Content-Length", str(len(keys.body)))
            self.end_headers()
            self.wfile.write(keys.body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        keys = Keys(f"http://127.0.0.1:{server.server_port}/keys")
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield keys
        finally:
            server.shutdown()
            serving.join()
