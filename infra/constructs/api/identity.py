"""Who may call the API: a user pool with scopes, and how the gateway checks a token."""

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from handlers.intake.callers import OPERATE, READ, WRITE
from handlers.intake.parties import ANY
from infra.constructs.keeping import KEPT
from infra.constructs.suppressing import suppress
from infra.settings.api import IssuerSettings

_SCOPES = {
    READ: "Read one's own orders, and stock.",
    WRITE: "Place orders, and cancel one's own.",
    OPERATE: "Read and cancel anybody's orders.",
}
RESOURCE_SERVER, _, _ = READ.partition("/")
TOKEN_LIFE = Duration.hours(1)
# The result of checking a token is kept that long, also after the token expired.
AUTHORIZER_CACHE = Duration.minutes(1)


class Identity(Construct):
    """The user pool, its scopes and the clients that get tokens by their credentials.

    `shop` may read and write as a shop; `operations` may operate. Each further shop gets a client of its own.
    """

    def __init__(self, scope: Construct, construct_id: str, environment: str, *, protected: bool) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12, require_lowercase=True, require_uppercase=True, require_digits=True, require_symbols=True
            ),
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=protected,
            removal_policy=KEPT,
        )
        suppress(
            self.pool,
            "AwsSolutions-COG8",
            "Shops and operators have tokens by the credentials of a client. What the plan Plus protects is the "
            "sign-in of persons, of whom there are none.",
        )
        self.domain = self.pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(
                domain_prefix=f"order-pipeline-{Stack.of(self).account}-{environment}"
            ),
        )
        scopes = {
            name: cognito.ResourceServerScope(
                scope_name=name.removeprefix(f"{RESOURCE_SERVER}/"), scope_description=what
            )
            for name, what in _SCOPES.items()
        }
        server = self.pool.add_resource_server("Scopes", identifier=RESOURCE_SERVER, scopes=list(scopes.values()))
        self.shop = self._client("Shop", server, [scopes[READ], scopes[WRITE]])
        self.operations = self._client("Operations", server, list(scopes.values()))

    @property
    def issuer(self) -> IssuerSettings:
        """The pool as an issuer, whose every client may ask: the settings say whose it is."""
        issuer = f"https://cognito-idp.{Stack.of(self).region}.{Aws.URL_SUFFIX}/{self.pool.user_pool_id}"
        return IssuerSettings(issuer=issuer, jwks_url=f"{issuer}/.well-known/jwks.json", audience=(ANY,))

    def _client(
        self, name: str, server: cognito.UserPoolResourceServer, scopes: list[cognito.ResourceServerScope]
    ) -> cognito.UserPoolClient:
        return self.pool.add_client(
            name,
            generate_secret=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope) for scope in scopes],
            ),
            access_token_validity=TOKEN_LIFE,
            prevent_user_existence_errors=True,
        )
