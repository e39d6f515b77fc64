"""The templates, synthesized once, around stand-in code: one module for every handler."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.app import synthesize
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.local.pipeline import Pipeline, pipeline
from infra.names import LOCAL_ENVIRONMENT
from infra.package import PACKAGES, Built, Package
from infra.package.files import write, write_zip
from infra.settings.environment import EVERYTHING, Settings, file_of, read_settings
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
        case "library":
            import library
            return library.__file__, library.PACKAGE
        case "parties":
            with open(os.environ["PARTIES_FILE"]) as parties:
                return parties.read()
"""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[Package, Built]:
    folder = tmp_path_factory.mktemp("packages")

    def archive(name: str, path: str, content: str) -> Path:
        write(folder / name / path, content.encode())
        write_zip(folder / name, folder / f"{name}.zip")
        return folder / f"{name}.zip"

    layers = {package: archive(package, "python/library.py", f"PACKAGE = {package!r}") for package in PACKAGES}
    code = {
        function: archive(function.key, f"{function.handler.replace('.', '/').removesuffix('/handler')}.py", STAND_IN)
        for function in (*FUNCTIONS, AUTHORIZER)
    }
    return {
        package: Built(layers[package], {each.key: code[each] for each in code if each.package == package})
        for package in PACKAGES
    }


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings that ship."""
    return read_settings(file_of("dev"))


@pytest.fixture(scope="session")
def assembly(packages: dict[Package, Built], settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is deployed: a function of ours checks the tokens of the user pool."""
    return Path(synthesize(packages, LOCAL_ENVIRONMENT, settings, tmp_path_factory.mktemp("cdk.out")).directory)


@pytest.fixture(scope="session")
def template(assembly: Path) -> Template:
    """The template of what is deployed."""
    return synthesized(assembly)


@pytest.fixture(scope="session")
def everything(packages: dict[Package, Built], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as large as one gets: with everything that is off unless it is set."""
    made = read_settings(EVERYTHING)
    return Path(synthesize(packages, LOCAL_ENVIRONMENT, made, tmp_path_factory.mktemp("cdk.out")).directory)


@pytest.fixture(scope="session")
def of_pool(packages: dict[Package, Built], settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template where the gateway's own authorizer checks the tokens of the user pool, and orders take the Standard
    lane.
    """
    api = settings.api.model_copy(update={"pool_authorizer": True})
    settings = settings.model_copy(update={"api": api, "lane": "standard"})
    made = synthesize(packages, LOCAL_ENVIRONMENT, settings, tmp_path_factory.mktemp("cdk.out"))
    return synthesized(Path(made.directory))


@pytest.fixture(scope="session")
def templates(template: Template, of_pool: Template) -> Mapping[str, Template]:
    """Both of them by name. Who asks for a fixture by name instead is not seen to share what it is made from."""
    return {"template": template, "of_pool": of_pool}


@pytest.fixture(scope="module")
def deployed(assembly: Path) -> Iterator[Pipeline]:
    with pipeline(assembly=assembly) as running:
        yield running
