"""The CDK app. `python -m infra.app` synthesizes the templates for AWS into `cdk.out`; `cdk deploy` runs the same."""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import cx_api

from infra.constructs.tagging import tag_all
from infra.names import LOCAL_ENVIRONMENT, application_stack, data_stack
from infra.package import Built, Package, PackageError, build_zips
from infra.settings.environment import InvalidSettings, Settings, file_of, read_settings
from infra.stacks.application import ApplicationStack
from infra.stacks.data import DataStack


def synthesize(
    packages: Mapping[Package, Built],
    environment: str,
    settings: Settings,
    outdir: Path,
    *,
    new: Collection[str] = (),
) -> cx_api.CloudAssembly:
    """Synthesize the app of an environment, with the same arguments."""
    return application(packages, environment, settings, outdir, new=new).synth()


def application(
    packages: Mapping[Package, Built],
    environment: str,
    settings: Settings,
    outdir: Path,
    *,
    new: Collection[str] = (),
) -> cdk.App:
    """The two stacks of an environment, as an app that is synthesized into the folder `outdir`.

    `packages` are what the functions run from. `new` are the stacks that are not there yet: they are protected later,
    for a creation that fails has to be undone.
    """
    app = cdk.App(
        analytics_reporting=False,
        outdir=str(outdir),
        context={
            "@aws-cdk/aws-iam:minimizePolicies": True,
            # Not by exports, which cannot change while they are used: another table could never be adopted.
            "@aws-cdk/core:defaultCrossStackReferences": "weak",
            # By a policy of their bucket, S3 delivers access logs for our buckets alone.
            "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
        },
    )

    def protected(stack: str) -> bool:
        return settings.protected and stack not in new

    data = DataStack(app, environment, settings, protected=protected(data_stack(environment)))
    ApplicationStack(
        app,
        environment,
        settings,
        data=data.resources,
        packages=packages,
        protected=protected(application_stack(environment)),
    )
    tag_all(app, environment, settings.cost.center)
    return app


def main() -> None:
    """Package the functions for AWS and synthesize, to where the CDK command line wants it or else into `cdk.out`.

    `ENV` names the environment.
    """
    environment = os.environ.get("ENV", LOCAL_ENVIRONMENT)
    try:
        settings = read_settings(file_of(environment))
        packages = build_zips("aws")
    except (InvalidSettings, PackageError) as problem:
        sys.exit(str(problem))
    synthesize(packages, environment, settings, Path(os.environ.get("CDK_OUTDIR", "cdk.out")))


if __name__ == "__main__":
    main()
