"""The libraries' part of a package: what `uv.lock` pins, as released, without the files that `cuts` leaves out."""

import subprocess
import sys
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from uv import find_uv_bin

from infra.package import cuts
from infra.package.errors import PackageError
from infra.package.files import ROOT, files, write
from infra.package.imports import imports, module_name
from infra.package.service_models import write_service_models

# The dependency groups in `pyproject.toml`.
_GROUPS = {"main": "functions", "api": "api"}


def write_layer(package: str, folder: Path, *, python: str | None) -> None:
    """Write a package's libraries into `folder`: for AWS and that version of Python, or for this interpreter.

    Raises:
        PackageError: `cuts` leaves out what is not there, or what the rest imports.
    """
    with TemporaryDirectory() as scratch:
        installed = Path(scratch, "installed")
        _install(package, installed, python)
        left_out = _copy(installed, folder, {*cuts.LEFT_OUT, *cuts.LEFT_OUT_OF[package]})
        write_service_models(installed / "botocore" / "data", folder / "botocore" / "data")
    _check_imports(folder, left_out, {*cuts.UNREACHED, *cuts.UNREACHED_IN[package]})


def _install(package: str, folder: Path, python: str | None) -> None:
    """Install what the package's functions depend on, as locked."""
    uv = find_uv_bin()
    requirements = folder.with_suffix(".txt")
    left_out = [f"--no-emit-package={name}" for name in cuts.PACKAGES_LEFT_OUT]
    groups = ["--no-default-groups", "--group", _GROUPS[package]]
    on = ["--python-platform", "aarch64-manylinux2014", "--python-version", python] if python else []
    export = [uv, "export", "--quiet", "--frozen", "--no-emit-project", *groups, *left_out]
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--no-compile-bytecode", "--only-binary", ":all:"]
    _run([*export, "--output-file", str(requirements)])
    _run([*install, "--python", sys.executable, *on, "--target", str(folder), "--requirement", str(requirements)])


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - no outside input


def _copy(installed: Path, folder: Path, patterns: set[str]) -> set[str]:
    """Copy what stays of the libraries; returns the modules that do not."""
    unmet = set(patterns)
    left_out = set()
    for file in files(installed):
        path = file.relative_to(installed)
        met = {pattern for pattern in patterns if fnmatch(path.as_posix(), pattern)}
        unmet -= met
        if not met:
            write(folder / path, file.read_bytes())
        elif file.suffix in {".py", ".so"}:
            left_out.add(module_name(path))
    _complain("nothing in the libraries as locked fits", unmet)
    return left_out


def _check_imports(folder: Path, left_out: set[str], unreached: set[str]) -> None:
    found = {
        f"{module_name(file.relative_to(folder))} imports {name}"
        for file in folder.rglob("*.py")
        for module, imported in imports(file, folder)
        for name in (module, f"{module}.{imported}")
        if name in left_out
    }
    _complain("imports of what is left out", found - unreached)
    _complain("not imported at all", unreached - found)


def _complain(what: str, found: Iterable[str]) -> None:
    if listed := "\n  ".join(sorted(found)):
        raise PackageError(f"{what}:\n  {listed}")
