"""Python source without what running it does not need."""

import ast


def slimmed(source: str) -> str:
    """The module without comments, docstrings and what only type checkers see. Nothing is renamed."""
    return ast.unparse(slim_tree(source)) + "\n"


def slim_tree(source: str) -> ast.Module:
    """The same as a syntax tree."""
    tree: ast.Module = _Slimmer().visit(ast.parse(source))
    return tree


class _Slimmer(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        constant = isinstance(node.value, ast.Constant) and node.value.value is not Ellipsis
        return None if constant else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST]:
        test = node.test
        if (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) != "TYPE_CHECKING":
            return self.generic_visit(node)
        return [kept for statement in node.orelse if (kept := self.visit(statement)) is not None]
