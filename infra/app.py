"""The CDK app. `python -m infra.app` synthesizes the templates for AWS into `cdk.out`; `cdk deploy` runs the same."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import cx_api

from infra.names import LOCAL_ENVIRONMENT
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
    protected: bool | None = None,
) -> cx_api.CloudAssembly:
    """Synthesize the two stacks of an environment into the folder `outdir`.

    `packages` are what the functions run from. `protected` is the settings' unless it is given: whether the stacks, and
    what holds data, refuse to be deleted.
    """
    app = cdk.App(
        analytics_reporting=False,
        outdir=str(outdir),
        context={
            "@aws-cdk/aws-iam:minimizePolicies": True,
            # Not by exports, which cannot change while they are used: another table could never be adopted.
            "@aws-cdk/core:defaultCrossStackReferences": "weak",
        },
    )
    if protected is None:
        protected = settings.protected
    data = DataStack(app, environment, settings, protected=protected)
    ApplicationStack(app, environment, settings, data=data.resources, packages=packages, protected=protected)
    return app.synth()


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
