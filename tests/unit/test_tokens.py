"""Tokens: only a genuine, current one that is meant for us says who somebody is; a refused one is not described."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from handlers.api import authorization
from handlers.api.authorization import plan_key
from handlers.api.tokens import LEEWAY_SECONDS, InvalidToken, Verifier, client, issuer_keys, scopes, subject
from handlers.intake.callers import OPERATE, READ, WRITE, authorized
from handlers.intake.parties import ANY, OPERATORS, Parties
from infra.names import LOCAL_ENVIRONMENT
from tests.builders.messages import CONTEXT
from tests.builders.tokens import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    SUBJECT,
    Keys,
    assembled,
    claims,
    encoded,
    jwk,
    private_key,
    published_keys,
    token,
)

METHOD = "arn:aws:execute-api:eu-west-1:123456789012:api1/v1/GET/orders/o1"
STAGE = "arn:aws:execute-api:eu-west-1:123456789012:api1/v1"
LATE = LEEWAY_SECONDS + 60
PARTIES = Parties(
    shops=("acme", "bloom"),
    sources={},
    clients={"acme-web": "acme", "acme-app": "acme"},
    claims={"bloom": {"org": "bloom", "env": "live"}},
    folders={},
)
"""A shop that is known by its clients, and one that is known by what its tokens claim."""


@pytest.fixture(scope="module")
def published() -> Iterator[Keys]:
    with published_keys() as keys:
        yield keys


@pytest.fixture
def keys(published: Keys) -> Keys:
    """The keys of the issuer, as nobody has fetched them."""
    published.publish(*ALGORITHMS)
    published.fetched, published.status = 0, 200
    return published


@pytest.fixture
def verifier(keys: Keys) -> Verifier:
    return Verifier(ISSUER, ("elsewhere", AUDIENCE), issuer_keys(keys.url))


def resigned(good: str, **changed: Any) -> str:
    """A token whose claims were changed after it was signed."""
    header, _, signature = good.split(".")
    return f"{header}.{encoded(json.dumps(claims(**changed)).encode())}.{signature}"


def with_signature(good: str, change: Callable[[bytes], bytes]) -> str:
    head, _, signature = good.rpartition(".")
    return f"{head}.{encoded(change(jwt.utils.base64url_decode(signature)))}"


def confused(secret: bytes) -> str:
    """A token whose symmetric key is what everybody knows: the issuer's public key, in some form."""
    unsigned = assembled({"alg": "HS256", "typ": "JWT", "kid": "RS256"}, claims(), b"").rstrip(".")
    return f"{unsigned}.{encoded(hmac.digest(secret, unsigned.encode(), hashlib.sha256))}"


def public(encoding: Encoding) -> bytes:
    return private_key("RS256").public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def none(algorithm: str) -> str:
    return assembled({"alg": algorithm, "typ": "JWT", "kid": "RS256"}, claims(), b"")


GOOD: dict[str, Callable[[], str]] = {
    "RS256": lambda: token("RS256"),
    "ES256": lambda: token("ES256"),
    "the audience is one of several": lambda: token(aud=["other", AUDIENCE]),
    "an access token of Cognito names its client": lambda: token(aud=None, client_id=AUDIENCE),
    "an access token that says so": lambda: token(token_use="access"),
    "another audience of ours": lambda: token(aud="elsewhere"),
    "clocks differ a little": lambda: token(exp=int(time.time()) - 1, nbf=int(time.time()) + 1),
}
BAD: dict[str, Callable[[], str]] = {
    "claims changed": lambda: resigned(token(), sub="somebody"),
    "a later end": lambda: resigned(token(exp=1), exp=2**33),
    "signature changed": lambda: with_signature(token(), lambda bits: bits[:-1] + bytes([bits[-1] ^ 1])),
    "signature changed, ES256": lambda: with_signature(token("ES256"), lambda bits: bytes([bits[0] ^ 1]) + bits[1:]),
    "signature of nothing, ES256": lambda: with_signature(token("ES256"), lambda bits: bytes(64)),
    "no signature": lambda: with_signature(token(), lambda bits: b""),
    "half a signature": lambda: with_signature(token(), lambda bits: bits[:128]),
    "signature of another token": lambda: token().rpartition(".")[0] + "." + token(sub="b").rpartition(".")[2],
    "expired": lambda: token(exp=int(time.time()) - LATE),
    "not yet valid": lambda: token(nbf=int(time.time()) + LATE),
    "issued in the future": lambda: token(iat=int(time.time()) + LATE),
    "another issuer": lambda: token(iss="https://elsewhere.example"),
    "our issuer and a slash": lambda: token(iss=f"{ISSUER}/"),
    "another audience": lambda: token(aud="somebody"),
    "other audiences": lambda: token(aud=["somebody", "else"]),
    "no audience": lambda: token(aud=[]),
    "another client": lambda: token(aud=None, client_id="somebody"),
    "another audience, our client": lambda: token(aud="somebody", client_id=AUDIENCE),
    "meant for nobody": lambda: token(aud=None),
    "an audience of audiences": lambda: token(aud=[[AUDIENCE], {}]),
    "an ID token": lambda: token(token_use="id"),
    "an ID token that has our scopes": lambda: token(token_use="id", scope="orders/read orders/write"),
    "a token of no known use": lambda: token(token_use=["access"]),
    "no subject": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "no end": lambda: token(exp=None),
    "no issuer": lambda: token(iss=None),
    "a subject that is no text": lambda: token(sub=7),
    "an end that is no time": lambda: token(exp="tomorrow"),
    "claims that are no object": lambda: assembled({"alg": "RS256", "kid": "RS256"}, ["orders/operate"], b"x"),
    "none": lambda: none("none"),
    "None": lambda: none("None"),
    "none, with a signature": lambda: none("none") + token().rpartition(".")[2],
    "no algorithm": lambda: assembled({"kid": "RS256"}, claims(), b"x"),
    "HS256 with the public key": lambda: confused(public(Encoding.PEM)),
    "HS256 with the public key, stripped": lambda: confused(public(Encoding.PEM).strip()),
    "HS256 with the public key, DER": lambda: confused(public(Encoding.DER)),
    "HS256 with the public key, as published": lambda: confused(json.dumps(jwk("RS256")).encode()),
    "HS256 with nothing": lambda: confused(b""),
    "RS384": lambda: jwt.encode(claims(), private_key("RS256"), "RS384", headers={"kid": "RS256"}),
    "signed by a stranger": lambda: token("RS256 of a stranger", kid="RS256"),
    "the key of another algorithm": lambda: token("ES256", kid="RS256"),
    "a key of its own": lambda: jwt.encode(
        claims(),
        private_key("ES256 of a stranger"),
        "ES256",
        headers={"jwk": jwk("ES256 of a stranger"), "jku": "http://127.0.0.1:1/", "kid": "ES256"},
    ),
    "an unknown key id": lambda: token(kid="unknown"),
    "no key id": lambda: jwt.encode(claims(), private_key("RS256"), "RS256"),
    "a key id that is no text": lambda: assembled({"alg": "RS256", "kid": ["RS256"]}, claims(), b"x"),
    "a header that is no object": lambda: assembled([], claims(), b"x"),  # type: ignore[arg-type]
    "a header without end": lambda: f"{encoded(b'[' * 7000)}.{encoded(b'{}')}.x",
    "something critical": lambda: jwt.encode(
        claims(),
        private_key("RS256"),
        "RS256",
        headers={"kid": "RS256", "crit": ["b65"], "b65": 1},
    ),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "text": lambda: "Zm9v.YmFy",
    "four parts": lambda: f"{token()}.x",
    "spaces": lambda: token().replace(".", " . "),
}


@pytest.mark.parametrize("why", GOOD)
def test_a_genuine_token_for_us_tells_its_claims(verifier: Verifier, why: str) -> None:
    assert verifier.claims(GOOD[why]())["sub"] == SUBJECT


@pytest.mark.parametrize("why", BAD)
def test_any_other_token_is_invalid_and_why_is_told_without_it(verifier: Verifier, why: str) -> None:
    bad = BAD[why]()
    with pytest.raises(InvalidToken) as refused:
        verifier.claims(bad)
    assert len(str(refused.value)) < 50
    assert not any(part in str(refused.value) for part in (SUBJECT, "unknown", *bad.split(".")) if part)


@pytest.mark.parametrize("meant", [{"aud": "somebody"}, {"aud": ["a", "b"]}, {"aud": None, "client_id": "any"}])
def test_where_every_audience_is_ours_any_access_token_of_the_issuer_is_let_in(
    keys: Keys, meant: dict[str, Any]
) -> None:
    """The pool's clients are many; the settings say whose they are."""
    verifier = Verifier(ISSUER, (ANY,), issuer_keys(keys.url))
    assert verifier.claims(token(**meant))["sub"] == SUBJECT
    for bad in ({"iss": "https://elsewhere.example"}, {"token_use": "id"}, {"exp": 1}):
        with pytest.raises(InvalidToken):
            verifier.claims(token(**meant, **bad))


@given(text=st.one_of(st.text(), st.lists(st.binary().map(encoded), min_size=3, max_size=3).map(".".join)))
def test_no_garbage_is_more_than_invalid(published: Keys, text: str) -> None:
    with pytest.raises(InvalidToken):
        Verifier(ISSUER, (AUDIENCE,), issuer_keys(published.url)).claims(text)


# The issuer's keys


def test_the_keys_are_fetched_once_for_many_tokens_and_not_again_for_unknown_ones(
    verifier: Verifier, keys: Keys
) -> None:
    for algorithm in ALGORITHMS * 3:
        verifier.claims(token(algorithm))
    for number in range(5):
        with pytest.raises(InvalidToken):
            verifier.claims(token(kid=f"unknown {number}"))
    assert keys.fetched == 1


def test_nothing_is_fetched_for_what_is_no_token(verifier: Verifier, keys: Keys) -> None:
    for why in ("nothing", "dots", "text", "four parts", "a header without end"):
        with pytest.raises(InvalidToken):
            verifier.claims(BAD[why]())
    assert keys.fetched == 0


def test_a_new_key_is_found_after_a_while_and_a_withdrawn_one_is_not(
    verifier: Verifier, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier.claims(token("RS256"))
    keys.publish("ES256 renewed")
    with pytest.raises(InvalidToken):
        verifier.claims(token("ES256 renewed"))
    monkeypatch.setattr("jwt.jwks_client.time", SimpleNamespace(monotonic=lambda: time.monotonic() + 31))
    assert verifier.claims(token("ES256 renewed"))["sub"] == SUBJECT
    with pytest.raises(InvalidToken):
        verifier.claims(token("RS256"))
    assert keys.fetched == 2


@pytest.mark.parametrize(("status", "body"), [(500, b""), (302, b""), (200, b""), (200, b"{}"), (200, b'{"keys": []}')])
def test_keys_that_cannot_be_had_say_nothing_about_a_token(
    verifier: Verifier, keys: Keys, status: int, body: bytes
) -> None:
    keys.status, keys.body = status, body
    with pytest.raises(Exception, match=r".") as trouble:
        verifier.claims(token())
    assert not isinstance(trouble.value, InvalidToken)
    keys.status = 200
    keys.publish("RS256")
    assert verifier.claims(token())["sub"] == SUBJECT


# Who it is, and what they may


@pytest.mark.parametrize(
    ("said", "known_as"),
    [
        ({"client_id": "acme-web"}, "acme-web"),
        ({"azp": "acme-web"}, "acme-web"),
        ({"cid": "acme-web"}, "acme-web"),
        ({"client_id": "acme-web", "azp": "other", "cid": "another"}, "acme-web"),
        ({"client_id": "", "azp": None, "cid": "acme-web"}, "acme-web"),
        ({}, SUBJECT),
        ({"client_id": ""}, SUBJECT),
    ],
)
def test_the_client_is_who_the_token_was_given_to_or_else_its_subject(said: dict[str, Any], known_as: str) -> None:
    assert client({"sub": SUBJECT, **said}) == known_as


NAMES = st.one_of(st.text(min_size=1), st.text('a"\\%\n{}:,\x7fé', min_size=1), st.lists(st.text(), min_size=1))


@given(name=NAMES, other=NAMES)
def test_whatever_names_the_bearer_stands_in_json_as_it_is_and_for_nobody_else(name: Any, other: Any) -> None:
    """The gateway writes both into messages and logs as they are."""
    for made, others in (
        (subject({"sub": name}), subject({"sub": other})),
        (client({"sub": SUBJECT, "client_id": name}), client({"sub": SUBJECT, "client_id": other})),
    ):
        assert json.loads(f'"{made}"') == made
        assert 1 <= len(made) <= 256
        assert (made == others) == (str(name) == str(other)) or len(made) == 256


@pytest.mark.parametrize(
    "name", [SUBJECT, "6shop7client8of9the0pool", "auth0|ada", "ada@example.com", "https://a/b?c#d"]
)
def test_usual_names_stay_as_they_are(name: str) -> None:
    assert subject({"sub": name}) == client({"sub": "x", "client_id": name}) == name


@pytest.mark.parametrize(
    ("said", "granted"),
    [
        ({"scope": "openid orders/write orders/read"}, [READ, WRITE]),
        ({"scope": "orders/readers xorders/read orders/operate"}, [OPERATE]),
        ({"scope": "orders/read,orders/write"}, []),
        ({"scp": ["orders/write", "email"]}, [WRITE]),
        ({"scope": "", "scp": ["orders/write"]}, []),
        ({"scope": None}, []),
        ({}, []),
    ],
)
def test_scopes_are_those_we_know(said: dict[str, Any], granted: list[str]) -> None:
    assert scopes(said, [READ, WRITE, OPERATE]) == granted


# The authorizer


@pytest.fixture
def authorize(verifier: Verifier) -> Callable[[str], Any]:
    authorizer = authorization.Authorizer(verifier, PARTIES, LOCAL_ENVIRONMENT)
    return lambda header: authorizer.handle({"authorizationToken": header, "methodArn": METHOD}, CONTEXT)


def effect(answer: Any) -> tuple[str, list[str]]:
    """Whether methods are allowed or denied, and which, of this stage."""
    [statement] = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert all(resource.startswith(f"{STAGE}/") for resource in statement["Resource"])
    return statement["Effect"], [resource.removeprefix(f"{STAGE}/") for resource in statement["Resource"]]


ALL = ("Deny", ["*"])
OPERATORS_METHODS = ["GET/*", "POST/orders/*/cancellation"]


@pytest.mark.parametrize(
    ("scope", "allowed", "granted"),
    [
        (READ, ["GET/*"], READ),
        (WRITE, ["POST/*"], WRITE),
        ("orders/write orders/read openid", ["GET/*", "POST/*"], f"{READ} {WRITE}"),
        ("openid", None, ""),
        (None, None, ""),
    ],
)
def test_a_scope_allows_a_shop_its_methods_of_this_stage_and_no_others(
    authorize: Callable[[str], Any], scope: str | None, allowed: list[str] | None, granted: str
) -> None:
    answer = authorize(f"Bearer {token(scope=scope, client_id='acme-web')}")
    assert effect(answer) == (("Allow", allowed) if allowed else ALL)
    assert answer["principalId"] == SUBJECT
    assert answer["context"] == {"subject": SUBJECT, "client": "acme-web", "scopes": granted, "shop": "acme"}


@pytest.mark.parametrize("scope", [OPERATE, f"{OPERATE} {READ} {WRITE}"])
@pytest.mark.parametrize("of", [{}, {"client_id": "acme-web"}, {"org": "bloom", "env": "live"}])
def test_an_operator_is_no_shop_and_asks_and_cancels_but_places_nothing(
    authorize: Callable[[str], Any], scope: str, of: dict[str, str]
) -> None:
    answer = authorize(f"Bearer {token(scope=scope, **of)}")
    assert effect(answer) == ("Allow", OPERATORS_METHODS)
    assert (answer["context"]["shop"], answer["usageIdentifierKey"]) == ("", plan_key(LOCAL_ENVIRONMENT, OPERATORS))
    caller = authorized(answer["context"])
    assert (caller.operates, caller.shop) == (True, None)


@pytest.mark.parametrize(
    ("said", "shop"),
    [
        ({"client_id": "acme-web"}, "acme"),
        ({"azp": "acme-app"}, "acme"),
        ({"sub": "acme-web"}, "acme"),
        ({"org": "bloom", "env": "live"}, "bloom"),
        ({"org": "bloom", "env": "live", "client_id": "nobodys"}, "bloom"),
        # What a token claims comes before whom it was given to.
        ({"org": "bloom", "env": "live", "client_id": "acme-web"}, "bloom"),
        ({"org": "bloom", "client_id": "acme-web"}, "acme"),
        ({"client_id": "nobodys"}, None),
        ({"client_id": "acme"}, None),
        ({"client_id": "ACME-WEB"}, None),
        ({"client_id": ANY}, None),
        ({"client_id": ["acme-web"]}, None),
        ({"org": "bloom"}, None),
        ({"org": "bloom", "env": "test"}, None),
        ({"org": ["bloom"], "env": "live"}, None),
        ({"shop": "acme"}, None),
        ({}, None),
    ],
)
def test_a_token_is_of_the_shop_that_the_settings_say_and_nobodys_is_denied_everything(
    authorize: Callable[[str], Any], said: dict[str, Any], shop: str | None
) -> None:
    answer = authorize(f"Bearer {token(scope=f'{READ} {WRITE}', **said)}")
    assert effect(answer) == (("Allow", ["GET/*", "POST/*"]) if shop else ALL)
    assert answer["context"]["shop"] == (shop or "")
    assert authorized(answer["context"]).shop == shop
    if shop:
        assert answer["usageIdentifierKey"] == plan_key(LOCAL_ENVIRONMENT, shop)


def test_every_shop_and_the_operators_have_a_plan_key_of_their_own_that_the_gateway_takes() -> None:
    keys = {plan_key(LOCAL_ENVIRONMENT, who) for who in ("acme", "bloom", "a", "s" * 16, OPERATORS)}
    assert len(keys) == 5
    # API Gateway API reference, CreateApiKey.
    assert all(20 <= len(key) <= 128 for key in keys)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_scheme_is_bearer_in_any_case(authorize: Callable[[str], Any], scheme: str) -> None:
    assert authorize(scheme + token())["principalId"] == SUBJECT


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "{token}", "Basic {token}", "Bearer x{token}"]
)
def test_other_headers_are_unauthorized(authorize: Callable[[str], Any], header: str) -> None:
    with pytest.raises(authorization.Unauthorized, match=r"^Unauthorized$"):
        authorize(header.replace("{token}", token()))


@pytest.mark.parametrize("why", BAD)
def test_an_invalid_token_is_unauthorized_and_nothing_of_it_is_logged(
    authorize: Callable[[str], Any], why: str, logged: io.StringIO
) -> None:
    bad = BAD[why]()
    with pytest.raises(authorization.Unauthorized) as refused:
        authorize(f"Bearer {bad}")
    # The gateway answers 401 to exactly this, and the runtime prints the error with what it shows of its causes.
    assert str(refused.value) == "Unauthorized"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert "token refused" in logged.getvalue()
    assert not any(part in logged.getvalue() for part in (SUBJECT, "unknown", *bad.split(".")) if len(part) > 3)


def test_keys_that_cannot_be_had_are_an_error_and_not_unauthorized(authorize: Callable[[str], Any], keys: Keys) -> None:
    keys.status = 503
    with pytest.raises(jwt.PyJWKClientConnectionError):
        authorize(f"Bearer {token()}")
