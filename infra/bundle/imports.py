"""A check that the modules of a package find what they import."""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from infra.bundle.slim import slim_tree


def unresolved(folder: Path, importers: Iterable[Path], *, optional: bool) -> Iterator[tuple[str, str]]:
    """Importing module and imported name, wherever neither the folder nor the standard library has it.

    `importers` are the files to check, imports inside functions included. With `optional`, packages that are not in the
    folder at all do not count, since libraries may import what is not there.
    """
    present = {
        _module(file.relative_to(folder)): file for suffix in ("py", "so") for file in folder.rglob(f"*.{suffix}")
    }
    packages = {".".join(module.split(".")[:depth]) for module in present for depth in range(1, module.count(".") + 1)}

    @cache
    def names(module: str) -> set[str]:
        return set(_bound(ast.parse(present[module].read_text()).body)) | {"__doc__"}

    def resolves(importer: str, module: str, name: str) -> bool:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or (optional and top not in present):
            return True
        if module not in present:
            return module in packages and (not name or f"{module}.{name}" in present.keys() | packages)
        if not name or f"{module}.{name}" in present or present[module].suffix == ".so":
            return True
        return module != importer and bool(names(module) & {name, "*", "__getattr__"})

    for file in importers:
        importer = _module(file.relative_to(folder))
        for module, name in _imports(slim_tree(file.read_text()), importer, is_package=file.stem == "__init__"):
            if not resolves(importer, module, name):
                yield importer, f"{module}.{name}" if name else module


def _module(path: Path) -> str:
    parts = [*path.parent.parts, path.name.partition(".")[0]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.Module, importer: str, *, is_package: bool) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = importer.split(".") if is_package else importer.split(".")[:-1]
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((module, "" if alias.name == "*" else alias.name) for alias in node.names)


def _bound(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that a module may bind when it is imported."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
            continue
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                yield from _bound([child])
            elif isinstance(child, ast.ExceptHandler):
                yield from _bound(child.body)
            elif isinstance(child, ast.alias):
                yield (child.asname or child.name).partition(".")[0]
            else:
                yield from (node.id for node in ast.walk(child) if isinstance(node, ast.Name))
