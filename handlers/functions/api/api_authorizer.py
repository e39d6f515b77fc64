"""The API's authorizer: which methods the bearer of a token may call."""

from handlers.api.authorization import Authorizer
from handlers.api.tokens import Verifier, issuer_keys
from handlers.functions.doors import parties
from handlers.functions.resources import setting
from handlers.runtime.observability import observed

verifier = Verifier(setting("JWT_ISSUER"), setting("JWT_AUDIENCE").split(), issuer_keys(setting("JWT_JWKS_URL")))
handler = observed(Authorizer(verifier, parties(), setting("ENVIRONMENT")).handle)
