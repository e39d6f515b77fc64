"""The template for AWS, synthesized once, around stand-in code: one module for every handler."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.app import STACK_NAME, synthesize
from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline, pipeline
from tests.infra.template import Template

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
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    code = tmp_path_factory.mktemp("code")
    for function in FUNCTIONS:
        module = code.joinpath(*function.handler.split(".")[:-1]).with_suffix(".py")
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(STAND_IN)
    return Path(synthesize(code, tmp_path_factory.mktemp("cdk.out")).directory)


@pytest.fixture(scope="session")
def template(assembly: Path) -> Template:
    return Template(json.loads((assembly / f"{STACK_NAME}.template.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def deployed(assembly: Path) -> Iterator[Pipeline]:
    with pipeline(assembly=assembly) as running:
        yield running
