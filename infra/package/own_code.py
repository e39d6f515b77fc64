"""Our part of a package: the modules of its functions, all that these import, and the data beside it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from infra.package.errors import PackageError
from infra.package.files import ROOT, write
from infra.package.imports import imports, module_name

OWN = ("events", "handlers")
# In it, a folder for each package has a module for each of its functions.
FUNCTIONS = ROOT / "handlers" / "functions"
_KINDS = ("py", "toml")


def own_files() -> list[Path]:
    """What the code of a package is chosen from."""
    return [file for own in OWN for kind in _KINDS for file in sorted((ROOT / own).rglob(f"*.{kind}"))]


def write_code(package: str, folder: Path, libraries: Path) -> None:
    """Write our code of a package into `folder`. PackageError where it imports what the folder `libraries` lacks."""
    files = own_files()
    modules = {module_name(file.relative_to(ROOT)): file for file in files if file.suffix == ".py"}
    reached: dict[str, Path] = {}
    missing: set[str] = set()
    waiting = [module for module, file in modules.items() if file.parent == FUNCTIONS / package]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached[module] = modules[module]
        waiting += _packages_of(module)
        for imported, name in imports(modules[module], ROOT):
            if imported in modules:
                waiting += [each for each in (imported, f"{imported}.{name}") if each in modules]
            elif not _can_be_imported(imported, libraries):
                missing.add(f"{module} imports {imported}")
    if missing:
        raise PackageError("\n  ".join([f"not in the package {package}:", *sorted(missing)]))
    folders = {file.parent for file in reached.values() if file.stem == "__init__"}
    data = [file for file in files if file.suffix != ".py" and _package_folder(file) in folders]
    for file in (*reached.values(), *data):
        write(folder / file.relative_to(ROOT), file.read_bytes())


def _packages_of(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts)))


def _can_be_imported(module: str, libraries: Path) -> bool:
    path = libraries.joinpath(*module.split("."))
    in_standard_library = module.partition(".")[0] in sys.stdlib_module_names
    return in_standard_library or path.is_dir() or any(path.parent.glob(f"{path.name}.*"))


def _package_folder(data: Path) -> Path:
    return next(folder for folder in data.parents if (folder / "__init__.py").exists())
