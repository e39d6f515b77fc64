"""Imports run one way, and the contract leans on pydantic alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.projections.registry import PROJECTIONS

ROOT = Path(__file__).parents[2]
ALLOWED = {"events": {"events"}, "handlers": {"events", "handlers"}, "infra": {"events", "handlers", "infra"}}
OURS = {"events", "handlers", "infra", "tests"}
CONTRACT = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for file in (ROOT / "events").rglob("*.py")
)
AWS = ("boto3", "botocore", "aws_lambda_powertools", "aws_xray_sdk")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield node.module or ""


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_run_one_way(package: str) -> None:
    against = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / package).rglob("*.py")
        for name in imported(file)
        if name.partition(".")[0] in OURS - ALLOWED[package]
    ]
    assert against == []


def test_the_contract_imports_no_aws_library() -> None:
    importing = {
        file.name
        for file in (ROOT / "events").rglob("*.py")
        for name in imported(file)
        if name.partition(".")[0] in AWS or name.startswith("mypy_boto3")
    }
    assert importing == set()


def test_a_publisher_needs_pydantic_alone() -> None:
    """The contract is imported where nothing else is to be had."""
    program = f"""
import importlib, sys
class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {AWS!r}:
            raise ImportError(name + " is not there")
sys.meta_path.insert(0, Elsewhere())
for module in {CONTRACT!r}:
    importlib.import_module(module)
loaded = [name for name in sys.modules if name.partition(".")[0] in {AWS!r}]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_operations_know_neither_the_command_line_nor_the_environment() -> None:
    """They are called by the command line today, and by functions tomorrow."""
    against = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / "handlers" / "operations").rglob("*.py")
        for name in imported(file)
        if name.partition(".")[0] in {"os", "rich", "signal", "typer"}
    ]
    assert against == []


@pytest.mark.parametrize("room", ["handlers/dead_letters", "handlers/operations", "handlers/queries"])
def test_imports_are_at_the_top_of_a_module(room: str) -> None:
    inside = [
        f"{file.relative_to(ROOT)}: {function.name}"
        for file in (ROOT / room).rglob("*.py")
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    ]
    assert inside == []


def test_a_projections_function_loads_neither_other_projections_nor_what_only_rebuild_and_command_line_need() -> None:
    program = """
import sys
import handlers.projections.counting_projections, handlers.projections.engine.updating
ours = [name for name in sys.modules if name.startswith(("handlers.", "infra"))]
print(*ours)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = set(ran.stdout.split())
    others = {
        f"handlers.projections.{name}" for name, each in PROJECTIONS.items() if each.function != "counting_projections"
    }
    assert others
    assert not loaded & {*others, "handlers.projections.registry", "handlers.projections.engine.scan"}
    unwanted = ("handlers.projections.rebuild", "handlers.queries", "handlers.operations", "handlers.files", "infra")
    assert not [name for name in loaded if name.startswith(unwanted)]
