"""Our part of a package: for each of its functions, its module, all that this imports, and the data beside it."""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.package.bytecode import bytecode_of, compile_beside_source
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


def functions_of(package: str) -> list[str]:
    """The keys of a package's functions: the names of their modules."""
    return sorted(file.stem for file in (FUNCTIONS / package).glob("*.py") if file.stem != "__init__")


def write_code(package: str, folder: Path, libraries: Path, *, compiled: bool) -> None:
    """Write our code of a package: into `folder`, a folder for each function, named by its key.

    What functions share is read and compiled once, and copied to each.

    Raises:
        PackageError: something of it imports what the folder `libraries` lacks.
    """
    needed = _needed(package, libraries)
    with TemporaryDirectory() as scratch:
        shared = Path(scratch)
        for file in {file for files in needed.values() for file in files}:
            write(shared / file.relative_to(ROOT), file.read_bytes())
        if compiled:
            compile_beside_source(shared, "/var/task")
        for function, files in needed.items():
            for file in files:
                source = shared / file.relative_to(ROOT)
                for each in filter(Path.exists, (source, bytecode_of(source))):
                    write(folder / function / each.relative_to(shared), each.read_bytes())


def _needed(package: str, libraries: Path) -> dict[str, list[Path]]:
    """The files that each function needs."""
    files = own_files()
    modules = {module_name(file.relative_to(ROOT)): file for file in files if file.suffix == ".py"}
    data = [file for file in files if file.suffix != ".py"]
    missing: set[str] = set()

    @cache
    def imported_by(module: str) -> set[str]:
        ours = set(_packages_of(module))
        for imported, name in imports(modules[module], ROOT):
            if imported in modules:
                ours |= modules.keys() & {imported, f"{imported}.{name}"}
            elif not _can_be_imported(imported, libraries):
                missing.add(f"{module} imports {imported}")
        return ours

    def files_of(function: str) -> list[Path]:
        reached: set[str] = set()
        waiting = {f"{module_name(FUNCTIONS.relative_to(ROOT) / package)}.{function}"}
        while waiting:
            module = waiting.pop()
            reached.add(module)
            waiting |= imported_by(module) - reached
        sources = [modules[module] for module in reached]
        folders = {source.parent for source in sources if source.stem == "__init__"}
        return sources + [file for file in data if _package_folder(file) in folders]

    needed = {function: files_of(function) for function in functions_of(package)}
    if missing:
        raise PackageError("\n  ".join([f"not in the package {package}:", *sorted(missing)]))
    return needed


def _packages_of(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts)))


def _can_be_imported(module: str, libraries: Path) -> bool:
    path = libraries.joinpath(*module.split("."))
    in_standard_library = module.partition(".")[0] in sys.stdlib_module_names
    return in_standard_library or path.is_dir() or any(path.parent.glob(f"{path.name}.*"))


def _package_folder(data: Path) -> Path:
    return next(folder for folder in data.parents if (folder / "__init__.py").exists())
