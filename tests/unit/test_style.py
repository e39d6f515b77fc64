"""Conventions of the code that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTION = ("events", "handlers", "infra")
PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_exit"}
"""Names of the standard library that are public for all their underscore."""
NOT_OURS = {"_make_api_call"}
"""The one method of botocore through which all calls go: the wire between the functions and AWS is attached there."""
BY_NAME = {"setattr", "getattr", "delattr", "hasattr", "object", "patch"}
"""Functions that take an attribute by its name."""
REASON = re.compile(r"# noqa: PLC0415 - \S")


def sources(*folders: str) -> Iterator[Path]:
    """The Python files of these folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC | NOT_OURS


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The private names of others that a module touches, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name):
                yield node.lineno, name
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] in PRODUCTION:
                yield from ((node.lineno, alias.name) for alias in names if is_private(alias.name))
            case ast.Call(func=ast.Attribute(attr=function) | ast.Name(id=function), args=arguments):
                if function in BY_NAME:
                    named = [each.value for each in arguments[:2] if isinstance(each, ast.Constant)]
                    parts = [part for text in named if isinstance(text, str) for part in text.split(".")]
                    yield from ((node.lineno, part) for part in parts if is_private(part))


def imports_in_functions(tree: ast.AST) -> Iterator[ast.stmt]:
    """The imports that stand inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (each for each in ast.walk(node) if isinstance(each, ast.Import | ast.ImportFrom))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("module._name", ["_name"]),
        ("a.b()._name.c", ["_name"]),
        ("super()._name()", ["_name"]),
        ("from handlers.outbox import _name, name", ["_name"]),
        ('monkeypatch.setattr(module, "_name", 1)', ["_name"]),
        ('monkeypatch.setattr("handlers.outbox._name", 1)', ["_name"]),
        ('patch("handlers.outbox._name")', ["_name"]),
        ('patch.object(module, "_name", 0)', ["_name"]),
        ('getattr(module, "_name")', ["_name"]),
        ("self._name", []),
        ("module.__name__", []),
        ("record._replace(version=2)", []),
        ('getattr(module, "name")', []),
        ("from elsewhere import _name", []),
    ],
)
def test_a_private_name_is_found_however_it_is_touched(source: str, names: list[str]) -> None:
    assert [name for _, name in private_names(ast.parse(source))] == names


def test_no_test_touches_a_private_name() -> None:
    touched = [
        f"{file.relative_to(ROOT)}:{line} touches {name}"
        for file in sources("tests")
        for line, name in private_names(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not touched, "\n".join(touched)


def test_every_folder_of_tests_is_run_by_make_test_or_is_the_one_for_long_proofs() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {str(file.parent.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
    assert {*settings["tool"]["pytest"]["ini_options"]["testpaths"], "tests/proof"} == folders


def test_an_import_inside_a_function_has_its_reason_beside_it() -> None:
    unexplained = [
        f"{file.relative_to(ROOT)}:{node.lineno} imports inside a function"
        for file in sources(*PRODUCTION)
        for text in [file.read_text(encoding="utf-8")]
        for node in imports_in_functions(ast.parse(text))
        if not REASON.search(text.splitlines()[node.lineno - 1])
    ]
    assert not unexplained, "\n".join(unexplained)
