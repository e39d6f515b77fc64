"""What Python files import, read from their source."""

import ast
from collections.abc import Iterator
from pathlib import Path


def module_name(path: Path) -> str:
    """The module in a file, from the file's path below a folder where Python looks for modules."""
    parts = [*path.parent.parts, path.name.partition(".")[0]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Every module that a file below `folder` imports, and what from it: a name, a module in it, or nothing.

    Imports inside functions count, imports for type checkers alone do not.
    """
    importer = module_name(file.relative_to(folder)).split(".")
    package = importer if file.stem == "__init__" else importer[:-1]
    for node in _executed(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((module, alias.name) for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all in it, without what is `if TYPE_CHECKING`."""
    yield node
    checked = isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
    for child in node.orelse if checked and isinstance(node, ast.If) else ast.iter_child_nodes(node):
        yield from _executed(child)
