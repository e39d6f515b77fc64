"""The CDK app. `python -m infra.app` synthesizes the template for AWS into `cdk.out`; `cdk deploy` runs the same."""

import os
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import cx_api

from infra import bundle
from infra.stack import OrderPipeline

STACK_NAME = "OrderPipeline"
# Where an order e-mail comes from unless CDK's context says otherwise: `cdk deploy -c email_sender=...`
EMAIL_SENDER = "orders@example.com"


def synthesize(code: Path, outdir: Path) -> cx_api.CloudAssembly:
    """Synthesize the stack into the folder `outdir`; `code` is the functions' package, a folder or a zip file."""
    app = cdk.App(
        analytics_reporting=False,
        outdir=str(outdir),
        context={"@aws-cdk/aws-iam:minimizePolicies": True},
    )
    sender = app.node.try_get_context("email_sender") or EMAIL_SENDER
    OrderPipeline(app, STACK_NAME, code=code, email_sender=sender)
    return app.synth()


def main() -> None:
    """Package the functions for AWS and synthesize, to where the CDK command line wants it or else into `cdk.out`."""
    synthesize(bundle.zip_bundle("aws"), Path(os.environ.get("CDK_OUTDIR", "cdk.out")))


if __name__ == "__main__":
    main()
