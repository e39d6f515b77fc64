"""The templates, synthesized once, around stand-in code: one module for every handler."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.app import synthesize
from infra.bundle import PACKAGES, Package
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.local.pipeline import Pipeline, pipeline
from tests.infra.template import Template, synthesized

# Does what the event says, so that a test sees how the runtime carries it.
STAND_IN = """
import os, sys

class Refused(Exception):
    pass

def handler(event, context):
    match event["do"]:
        case "refuse":
            raise Refused("because")
        case "exit":
            sys.exit(3)
        case "context":
            known = {name: value for name, value in vars(context).items() if not name.startswith("_")}
            return known | {"remaining": context.get_remaining_time_in_millis()}
        case "environment":
            return {"path": sys.path, "environment": dict(os.environ), "pid": os.getpid()}
"""


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> dict[Package, Path]:
    folders = {package: tmp_path_factory.mktemp(package) for package in PACKAGES}
    for function in (*FUNCTIONS, AUTHORIZER):
        module = folders[function.package].joinpath(*function.handler.split(".")[:-1]).with_suffix(".py")
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(STAND_IN)
    return folders


@pytest.fixture(scope="session")
def template(code: dict[Package, Path], tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template for AWS: the gateway checks the tokens of the user pool."""
    return synthesized(Path(synthesize(code, tmp_path_factory.mktemp("cdk.out")).directory))


@pytest.fixture(scope="session")
def assembly(code: dict[Package, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What runs on one machine: a function of ours checks the tokens of the user pool."""
    return Path(synthesize(code, tmp_path_factory.mktemp("cdk.out"), checks_tokens=True).directory)


@pytest.fixture(scope="session")
def checking(assembly: Path) -> Template:
    """The template with a function of ours that checks tokens."""
    return synthesized(assembly)


@pytest.fixture(scope="module")
def deployed(assembly: Path) -> Iterator[Pipeline]:
    with pipeline(assembly=assembly) as running:
        yield running
