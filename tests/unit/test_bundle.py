"""The functions' package: what is cut goes quietly only where nothing needs it, and loudly everywhere else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from botocore import xform_name

from infra import bundle
from infra.bundle import cuts
from infra.bundle.imports import unresolved
from infra.bundle.slim import slimmed

MODULE = '''
"""What it is for."""
from typing import TYPE_CHECKING
import asyncio, json  # a comment
from jmespath import search as find

if TYPE_CHECKING:
    from nowhere import Nothing
else:
    Nothing = object

class Empty:
    """Says so."""

def run(work):
    """Run it."""
    return asyncio.run(find(work, json.dumps))
'''


def test_what_only_readers_and_type_checkers_see_is_gone() -> None:
    source = slimmed(MODULE)
    assert source.count('"""') == source.count("#") == source.count("nowhere") == 0
    assert "Nothing = object" in source
    assert "class Empty:\n    pass" in source


def test_an_import_can_wait_until_it_is_used() -> None:
    source = slimmed(MODULE, imported_later=("asyncio", "find"))
    assert "import json\n" in source
    assert "import asyncio" not in source
    assert "__import__('asyncio').run(__import__('jmespath', fromlist=['search']).search(work, json.dumps))" in source


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("botocore/session.py", "import logging\n", "does not have, exactly once"),
        ("botocore/waiter.py", "import logging\n", "does not import jmespath"),
        ("pydantic_core/core_schema.py", "class CoreConfig(dict): ...\n", "derives from TypedDict"),
    ],
)
def test_a_cut_that_no_longer_fits_its_library_fails(path: str, source: str, complaint: str) -> None:
    with pytest.raises(bundle.CutFailed, match=complaint):
        bundle.slimmed_library(path, source)


def test_imports_that_find_nothing_are_found(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("from . import there, gone\nfrom .there import name, missing\n")
    (package / "there.py").write_text("import json, package.lost\ndef later():\n    import elsewhere\nname = 1\n")
    files = sorted(package.glob("*.py"))
    in_package = [("package", "package.gone"), ("package", "package.there.missing"), ("package.there", "package.lost")]
    assert list(unresolved(tmp_path, files, optional=True)) == in_package
    assert list(unresolved(tmp_path, files, optional=False)) == [*in_package, ("package.there", "elsewhere")]


def test_no_operation_is_shipped_that_nothing_calls() -> None:
    sources = "".join(file.read_text() for package in bundle.OWN for file in (bundle.ROOT / package).rglob("*.py"))
    called = set(re.findall(r"\.(\w+)\(", sources))
    shipped = {xform_name(operation) for operations in cuts.OPERATIONS.values() for operation in operations}
    assert shipped - called == set()


@pytest.mark.parametrize("package", bundle.PACKAGES)
def test_all_that_is_shipped_can_be_imported_from_the_package_alone(package: bundle.Package) -> None:
    """Every module, by an interpreter that sees nothing else."""
    program = """
import importlib, json, pathlib, sys, warnings
warnings.simplefilter("ignore")
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
failed = {}
for file in sorted(folder.rglob("*.py")):
    parts = file.relative_to(folder).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    try:
        importlib.import_module(module)
    except Exception as failure:
        failed[module] = repr(failure)
print(json.dumps(failed))
"""
    variables = (
        *("OWN_QUEUE_URL", "ORDER_QUEUE_URL", "DEAD_LETTER_BUCKET_NAME"),
        *("TABLE_NAME", "ORDERS_BUS_NAME", "EMAIL_SENDER", "DEAD_LETTER_QUEUE_URL", "LAMBDA_TASK_ROOT"),
    )
    powertools = {"POWERTOOLS_SERVICE_NAME": "test", "POWERTOOLS_METRICS_NAMESPACE": "test"}
    tokens = {"JWT_ISSUER": "test", "JWT_AUDIENCE": "test", "JWT_JWKS_URL": "https://issuer.example/keys"}
    rebuild = dict.fromkeys(["ARCHIVE_ARN", "ORDERS_BUS_ARN"], "test")
    environment = (
        dict.fromkeys(variables, "test")
        | powertools
        | tokens
        | rebuild
        | {"DEAD_LETTER_QUEUES": "{}"}
        | {"AWS_DEFAULT_REGION": "eu-west-1"}
    )
    command = [sys.executable, "-I", "-S", "-B", "-c", program, str(bundle.build("local", package))]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == {}


def test_the_functions_behind_the_api_are_in_their_own_package_alone() -> None:
    shared, of_api = (bundle.build("local", package) for package in bundle.PACKAGES)
    assert not (shared / "handlers" / "api").exists()
    assert not (shared / "jwt").exists()
    assert not (shared / "cryptography").exists()
    assert {file.name for file in (of_api / "handlers" / "api").glob("*.py")} == {
        file.name for file in (bundle.ROOT / "handlers" / "api").glob("*.py")
    }


def test_the_same_package_zips_to_the_same_bytes() -> None:
    archive = bundle.zip_bundle("local")
    first = archive.read_bytes()
    archive.unlink()
    assert bundle.zip_bundle("local").read_bytes() == first
