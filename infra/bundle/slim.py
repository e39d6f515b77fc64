"""Python source without what running it does not need."""

import ast
from collections.abc import Sequence


def slimmed(source: str, *, imported_later: Sequence[str] = (), emptied: str | None = None) -> str:
    """The module without comments, docstrings and what only type checkers see. Nothing is renamed.

    Names in `imported_later` are imported where they are used instead of with the module. Classes that derive directly
    from the one named `emptied` lose their body.

    Raises:
        ValueError: the module does not import such a name, or has no such class.
    """
    tree = slim_tree(source)
    for name in imported_later:
        later = _Later(name)
        later.visit(tree)
        if later.value is None:
            raise ValueError(f"it does not import {name}")
    if emptied:
        _empty_classes(tree, emptied)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def slim_tree(source: str) -> ast.Module:
    """The same as a syntax tree, imports as they are."""
    tree: ast.Module = _Slimmer().visit(ast.parse(source))
    return tree


def _empty_classes(tree: ast.Module, base: str) -> None:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and base in map(ast.unparse, node.bases)]
    if not classes:
        raise ValueError(f"it has no class that derives from {base}")
    for node in classes:
        node.body = [ast.Pass()]


class _Slimmer(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        if node.decorator_list:  # a dataclass without a docstring spends half a millisecond on writing itself one
            node.body.insert(0, ast.Expr(ast.Constant(".")))
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        constant = isinstance(node.value, ast.Constant) and node.value.value is not Ellipsis
        return None if constant else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST]:
        test = node.test
        if (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) != "TYPE_CHECKING":
            return self.generic_visit(node)
        return [kept for statement in node.orelse if (kept := self.visit(statement)) is not None]


class _Later(ast.NodeTransformer):
    """Takes an import out of a module and puts `__import__` wherever the imported name is read."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.value: ast.expr | None = None

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._take(node, "__import__({name!r})")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self._take(node, f"__import__({node.module!r}, fromlist=[{{name!r}}]).{{name}}")

    def _take(self, node: ast.Import | ast.ImportFrom, value: str) -> ast.AST | None:
        for alias in node.names:
            if (alias.asname or alias.name.partition(".")[0]) == self._name:
                self.value = ast.parse(value.format(name=alias.name), mode="eval").body
                node.names.remove(alias)
                break
        return node if node.names else None

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.value if self.value and node.id == self._name and isinstance(node.ctx, ast.Load) else node
