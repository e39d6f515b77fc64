"""Our part of a package: the modules that hold its functions' handlers, all that these import, and data beside it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from infra.functions import AUTHORIZER, FUNCTIONS
from infra.package.errors import PackageError
from infra.package.files import ROOT, write
from infra.package.imports import imports, module_name

OWN = ("events", "handlers")
_KINDS = ("py", "toml")


def own_files() -> list[Path]:
    """What a package's code is chosen from."""
    return [file for own in OWN for kind in _KINDS for file in sorted((ROOT / own).rglob(f"*.{kind}"))]


def write_code(package: str, folder: Path, libraries: Path) -> None:
    """Write our code of a package into `folder`. PackageError where it imports what the folder `libraries` lacks."""
    modules = {module_name(file.relative_to(ROOT)): file for file in own_files() if file.suffix == ".py"}
    handlers = [each.handler for each in (*FUNCTIONS, AUTHORIZER) if each.package == package]
    reached: dict[str, Path] = {}
    missing: set[str] = set()
    waiting = [module for handler in handlers for module in _with_parents(handler.rpartition(".")[0])]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached[module] = modules[module]
        for imported, name in imports(modules[module], ROOT):
            if imported in modules:
                waiting += _with_parents(imported)
                waiting += [f"{imported}.{name}"] if f"{imported}.{name}" in modules else []
            elif imported.partition(".")[0] not in sys.stdlib_module_names and not _is_module(imported, libraries):
                missing.add(f"{module} imports {imported}")
    if missing:
        raise PackageError("\n  ".join([f"not in the package {package}:", *sorted(missing)]))
    packages = {file.parent for file in reached.values() if file.stem == "__init__"}
    data = [file for file in own_files() if file.suffix != ".py" and _package(file) in packages]
    for file in (*reached.values(), *data):
        write(folder / file.relative_to(ROOT), file.read_bytes())


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _is_module(name: str, libraries: Path) -> bool:
    path = libraries.joinpath(*name.split("."))
    return path.is_dir() or any(path.parent.glob(f"{path.name}.*"))


def _package(data: Path) -> Path:
    return next(folder for folder in data.parents if (folder / "__init__.py").exists())
