"""The CDK app. `python -m infra.app` synthesizes the template for AWS into `cdk.out`; `cdk deploy` runs the same."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import cx_api
from constructs import Node

from infra.constructs.api.identity import TokenIssuer
from infra.names import STACK_NAME
from infra.package import Built, Package, PackageError, build_zips
from infra.settings.environment import InvalidSettings, Settings, file_of, read_settings
from infra.stack import OrderPipeline

# Where an order e-mail comes from unless CDK's context says otherwise: `cdk deploy -c email_sender=...`
EMAIL_SENDER = "orders@example.com"


def synthesize(
    packages: Mapping[Package, Built], settings: Settings, outdir: Path, *, pool_authorizer: bool = False
) -> cx_api.CloudAssembly:
    """Synthesize the stack into the folder `outdir`.

    `packages` are what the functions run from; `settings` are those of the environment. An authorizer function of ours
    checks the tokens of the user pool, or with `pool_authorizer` the gateway's own does. CDK's context names another
    issuer than the pool: `cdk deploy -c jwt_issuer=... -c jwt_jwks_url=... -c jwt_audience=...`, where several
    audiences are separated by spaces.
    """
    app = cdk.App(
        analytics_reporting=False,
        outdir=str(outdir),
        context={"@aws-cdk/aws-iam:minimizePolicies": True},
    )
    OrderPipeline(
        app,
        STACK_NAME,
        packages=packages,
        settings=settings,
        email_sender=app.node.try_get_context("email_sender") or EMAIL_SENDER,
        issuer=token_issuer(app.node),
        pool_authorizer=pool_authorizer,
    )
    return app.synth()


def token_issuer(node: Node) -> TokenIssuer | None:
    """The token issuer in CDK's context, if one is named there. Raises SystemExit where it is named by half."""
    settings = {name: node.try_get_context(name) for name in ("jwt_issuer", "jwt_jwks_url", "jwt_audience")}
    missing = [name for name, value in settings.items() if not value]
    if len(missing) == len(settings):
        return None
    if missing:
        sys.exit(
            f"for an identity provider of your own, name all of {', '.join(settings)}; missing: {', '.join(missing)}"
        )
    return TokenIssuer(settings["jwt_issuer"], settings["jwt_jwks_url"], tuple(settings["jwt_audience"].split()))


def main() -> None:
    """Package the functions for AWS and synthesize, to where the CDK command line wants it or else into `cdk.out`."""
    try:
        settings = read_settings(file_of(os.environ.get("ENV", "dev")))
        packages = build_zips("aws")
    except (InvalidSettings, PackageError) as problem:
        sys.exit(str(problem))
    synthesize(packages, settings, Path(os.environ.get("CDK_OUTDIR", "cdk.out")))


if __name__ == "__main__":
    main()
