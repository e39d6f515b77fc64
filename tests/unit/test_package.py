"""What is deployed of the functions: libraries as released and compiled, and our code, which needs nothing else."""

import base64
import csv
import gzip
import hashlib
import importlib.util
import io
import json
import marshal
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from botocore import xform_name

from infra.functions import AUTHORIZER, FUNCTIONS
from infra.package import PACKAGES, Built, Package, PackageError, Target, build, build_zips, cuts
from infra.package.bytecode import compile_beside_source
from infra.package.files import ROOT, write_zip
from infra.package.imports import imports
from infra.package.libraries import write_layer
from infra.package.own_code import own_files, write_code
from infra.package.python_version import SETTING, SUPPORTED, building_python, functions_python
from infra.package.service_models import trimmed
from tests.builders.environment import ENVIRONMENT

# In one process: only one builds at a time, and the other would wait for it.
pytestmark = pytest.mark.xdist_group("layers")

TARGETS: tuple[Target, ...] = ("aws", "local")
INSTALLED = Path(sysconfig.get_path("purelib"))
WRITTEN_BY_THE_INSTALLER = ("INSTALLER", "RECORD", "REQUESTED")
DOCUMENTATION = ("documentation", "documentationUrl")
# What a function imports only once it is needed.
IMPORTED_LATER = {"api_query": ["handlers.api.openapi", "handlers.api.page"]}


@pytest.fixture(scope="module", params=[(target, package) for target in TARGETS for package in PACKAGES], ids="-".join)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A package as uploaded, unpacked as Lambda does for each function."""
    target, package = request.param
    return unpacked(build_zips(target)[package], tmp_path_factory.mktemp(f"{target}-{package}"))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[Package, Built]:
    """Both packages as unpacked where they can run."""
    return {
        package: unpacked(built, tmp_path_factory.mktemp(package)) for package, built in build_zips("local").items()
    }


def unpacked(zips: Built, folder: Path) -> Built:
    def extracted(archive: Path, into: Path) -> Path:
        with zipfile.ZipFile(archive) as content:
            content.extractall(into)
        return into

    code = {function: extracted(archive, folder / function) for function, archive in zips.code.items()}
    return Built(extracted(zips.layer, folder / "opt"), code)


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def recorded(libraries: Path) -> dict[str, str]:
    """The hash of every file in the wheels of these libraries, by its path."""
    rows = [row for record in libraries.glob("*.dist-info/RECORD") for row in csv.reader(record.open())]
    return {path: hash_ for path, hash_, _ in rows}


def hashed(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


@cache
def released(module: str) -> tuple[bytes, CodeType]:
    """The source of a library's module in this environment, and what it compiles to."""
    source = (INSTALLED / module).read_bytes()
    return source, compile(source, module, "exec", dont_inherit=True)


def assert_compiled(bytecode: bytes, source: bytes, code: CodeType) -> None:
    unchecked = (1).to_bytes(4, "little")
    assert bytecode[:16] == importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source)
    assert marshal.loads(bytecode[16:]) == code


def test_every_file_of_a_library_is_the_one_in_its_wheel_or_its_bytecode(built: Built) -> None:
    libraries = built.layer / "python"
    in_wheels = recorded(libraries)
    for path in files(libraries):
        content = (libraries / path).read_bytes()
        if path.endswith(".pyc"):
            source, code = released(path.removesuffix("c"))
            assert hashed(source) == in_wheels[path.removesuffix("c")], path
            assert_compiled(content, source, code)
        elif not path.startswith("botocore/data/") and Path(path).name not in WRITTEN_BY_THE_INSTALLER:
            assert hashed(content) == in_wheels[path], path


def test_nothing_but_libraries_is_in_the_layer(built: Built) -> None:
    assert {path.partition("/")[0] for path in files(built.layer)} == {"python"}
    assert not {path for path in files(built.layer) if path.endswith(".py") or "__pycache__" in path}


def test_metadata_and_licences_of_every_library_are_there(built: Built) -> None:
    libraries = built.layer / "python"
    shipped = modules(files(libraries))
    here = {dist.name: dist for dist in distributions(path=[str(libraries)])}
    expected = {dist.name: dist for dist in distributions(path=[str(INSTALLED)]) if shipped & modules(names(dist))}
    assert here.keys() == expected.keys()
    for name, dist in expected.items():
        assert here[name].read_text("METADATA") == dist.read_text("METADATA")
        licences = {file for file in names(dist) if ".dist-info/" in file and re.search("LICEN[CS]E|NOTICE", file)}
        assert licences, name
        assert licences <= files(libraries)


def modules(paths: set[str]) -> set[str]:
    return {path.partition(".")[0] for path in paths if path.endswith((".py", ".pyc", ".so"))}


def names(dist: Distribution) -> set[str]:
    return {file.as_posix() for file in dist.files or ()}


def test_service_models_are_those_of_botocore_less_what_is_not_called(built: Built) -> None:
    data = built.layer / "python" / "botocore" / "data"
    original = INSTALLED / "botocore" / "data"
    assert {folder.name for folder in data.iterdir() if folder.is_dir()} == cuts.OPERATIONS.keys()
    for path in files(data):
        shipped = (data / path).read_bytes()
        if path.endswith("service-2.json"):
            model = json.loads(gzip.decompress((original / f"{path}.gz").read_bytes()))
            kept = json.loads(shipped)
            assert kept["operations"].keys() == set(cuts.OPERATIONS[path.partition("/")[0]])
            for kind in ("operations", "shapes"):
                assert kept[kind] == {name: undocumented(model[kind][name]) for name in kept[kind]}
            assert kept["metadata"] == model["metadata"]
        elif path != "endpoints.json":
            assert shipped == (original / path).read_bytes()


def undocumented(part: Any) -> Any:
    """Part of a service model without its documentation, in which words alone are called so."""
    if isinstance(part, dict):
        words = {key for key in DOCUMENTATION if isinstance(part.get(key), str)}
        return {key: undocumented(value) for key, value in part.items() if key not in words}
    return [undocumented(each) for each in part] if isinstance(part, list) else part


def test_a_trimmed_model_has_what_its_operations_reach() -> None:
    shapes = {
        "In": {"type": "structure", "members": {"Many": {"shape": "List", "documentation": "Words."}}},
        "List": {"type": "list", "member": {"shape": "One"}},
        "One": {"type": "string"},
        "Other": {"type": "string"},
    }
    operations = {"Put": {"input": {"shape": "In"}, "documentation": "Words."}, "Get": {"input": {"shape": "Other"}}}
    assert trimmed({"operations": operations, "shapes": shapes}, ["Put"]) == {
        "operations": {"Put": {"input": {"shape": "In"}}},
        "shapes": {
            "In": {"type": "structure", "members": {"Many": {"shape": "List"}}},
            "List": {"type": "list", "member": {"shape": "One"}},
            "One": {"type": "string"},
        },
    }


def test_no_operation_is_shipped_that_nothing_calls() -> None:
    called = set(re.findall(r"\.(\w+)\(", "".join(file.read_text() for file in own_files())))
    shipped = {xform_name(operation) for operations in cuts.OPERATIONS.values() for operation in operations}
    assert shipped - called == set()


def test_our_code_has_its_source_and_bytecode_of_it(built: Built) -> None:
    for code in built.code.values():
        sources = {path for path in files(code) if not path.endswith(".pyc")}
        for path in sources:
            assert (code / path).read_bytes() == (ROOT / path).read_bytes()
            if path.endswith(".py"):
                *folders, name = path.split("/")
                cached = Path(*folders, "__pycache__", name.replace(".py", f".{sys.implementation.cache_tag}.pyc"))
                assert_compiled((code / cached).read_bytes(), *ours(path))
        assert len(files(code)) == len(sources) + sum(path.endswith(".py") for path in sources)


@cache
def ours(path: str) -> tuple[bytes, CodeType]:
    """The source of a module of ours, and what it compiles to."""
    source = (ROOT / path).read_bytes()
    return source, compile(source, path, "exec", dont_inherit=True)


def test_every_function_has_its_code_in_its_own_package(local: dict[Package, Built]) -> None:
    for library in ("jwt", "cryptography", "aws_lambda_powertools/event_handler"):
        assert [(local[package].layer / "python" / library).exists() for package in PACKAGES] == [False, True]
    for package in PACKAGES:
        wanted = {function.key for function in (*FUNCTIONS, AUTHORIZER) if function.package == package}
        assert local[package].code.keys() == wanted


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_ships_what_it_imports_and_nothing_else_of_ours(
    local: dict[Package, Built], package: Package
) -> None:
    """By an interpreter that sees the code of one function after the other, its layer, and nothing else."""
    program = """
import importlib, json, sys
libraries, functions = sys.argv[1], json.loads(sys.argv[2])
standard, loaded = sys.path[:], {}
for code, modules in functions.items():
    for name in [name for name in sys.modules if name.partition(".")[0] in ("events", "handlers")]:
        del sys.modules[name]
    sys.path[:] = [code, libraries, *standard]
    for module in modules:
        importlib.import_module(module)
    files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
    loaded[code] = [file.removeprefix(f"{code}/") for file in files if file.startswith(f"{code}/")]
print(json.dumps(loaded))
"""
    code = local[package].code
    wanted = {
        str(code[each.key]): [each.handler.removesuffix(".handler"), *IMPORTED_LATER.get(each.key, ())]
        for each in (*FUNCTIONS, AUTHORIZER)
        if each.package == package
    }
    libraries = str(local[package].layer / "python")
    command = [sys.executable, "-I", "-S", "-B", "-c", program, libraries, json.dumps(wanted)]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    for folder, loaded in json.loads(done.stdout).items():
        assert {path for path in files(Path(folder)) if path.endswith(".py")} == set(loaded), folder


@pytest.mark.parametrize("package", PACKAGES)
def test_the_same_sources_make_the_same_bytes(package: Package, tmp_path: Path) -> None:
    write_code(package, tmp_path, build("local")[package].layer / "python", compiled=True)
    for function, built in build_zips("local")[package].code.items():
        archive = io.BytesIO()
        write_zip(tmp_path / function, archive)
        assert archive.getvalue() == built.read_bytes(), function


def test_the_bytes_of_a_module_do_not_depend_on_what_else_is_compiled(tmp_path: Path) -> None:
    """So a change uploads the functions that import what has changed, and no others."""
    for folder in ("events", "handlers"):
        shutil.copytree(ROOT / folder, tmp_path / "all" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(tmp_path / "all" / "handlers" / "table", tmp_path / "few" / "handlers" / "table")
    for name in ("all", "few"):
        compile_beside_source(tmp_path / name, "/var/task")
    few = [path for path in files(tmp_path / "few") if path.endswith(".pyc")]
    assert few
    for path in few:
        assert (tmp_path / "few" / path).read_bytes() == (tmp_path / "all" / path).read_bytes()


def test_imports_are_read_from_the_source(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    module = tmp_path / "package" / "module.py"
    module.write_text("""
import json, os.path
from . import beside
from .beside import name as other
from .. import above

if typing.TYPE_CHECKING:
    from nowhere import Nothing
else:
    import something

def later():
    import elsewhere
""")
    always = [("json", ""), ("os.path", ""), ("package", "beside"), ("package.beside", "name"), ("", "above")]
    assert list(imports(module, tmp_path)) == [*always, ("something", ""), ("elsewhere", "")]


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("nowhere/**", "nothing in the libraries as locked fits:\n  nowhere/"),
        ("botocore/waiter.py", "imports of what is left out:\n  botocore.client imports botocore.waiter\n"),
    ],
)
def test_what_cannot_be_left_out_fails(
    pattern: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuts, "LEFT_OUT", {**cuts.LEFT_OUT, pattern: "for a test"})
    with pytest.raises(PackageError, match=complaint):
        write_layer("main", tmp_path / "python", python=None)


def test_our_code_must_find_its_libraries(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"not in the package main:\n[^$]*imports pydantic\n"):
        write_code("main", tmp_path / "code", tmp_path, compiled=False)


def test_functions_run_on_the_python_that_builds_or_on_the_one_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    assert functions_python() == building_python() == "{}.{}".format(*sys.version_info)
    monkeypatch.setenv(SETTING, "3.14")
    assert functions_python() == "3.14"
    monkeypatch.setenv(SETTING, "3.9")
    with pytest.raises(PackageError, match=r"cannot run on Python 3\.9: set LAMBDA_PYTHON to one of 3\.11, .*3\.14"):
        functions_python()


def test_source_ships_for_a_python_that_this_one_cannot_compile_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = next(version for version in reversed(SUPPORTED) if version != building_python())
    monkeypatch.setenv(SETTING, other)
    for built in build("aws").values():
        shipped = files(built.layer).union(*map(files, built.code.values()))
        assert "python/botocore/session.py" in shipped
        assert not [path for path in shipped if path.endswith(".pyc")]
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"functions run on Python {other}, this is {building_python()}: ")
