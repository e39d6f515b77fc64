"""What is deployed of the functions: per package a layer of libraries, and per function a small zip file of our code.

There are two packages: `main`, whose layer nearly all functions share, and `api` for those behind the HTTP API, whose
libraries are larger. A function's zip file has what the function imports, and nothing else of ours. Libraries are as
released, less whole files (`infra.package.cuts`); only botocore's models of services, which are data, are trimmed to
the operations that the functions call. What is Python is compiled to bytecode.

Built without Docker from wheels that `uv.lock` pins: for AWS (arm64), or for this interpreter, so that the local run
proves what AWS gets.
"""

import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from infra.package.bytecode import compile_in_place_of_source
from infra.package.errors import PackageError
from infra.package.files import ROOT, digest, write_zip
from infra.package.libraries import write_layer
from infra.package.own_code import functions_of, own_files, write_code
from infra.package.python_version import building_python, functions_python

__all__ = ["PACKAGES", "Built", "Package", "PackageError", "Target", "bill_of", "build", "build_zips"]

Target = Literal["aws", "local"]
Package = Literal["main", "api"]
PACKAGES: tuple[Package, ...] = ("main", "api")

OUTPUT = ROOT / "build" / "package"


@dataclass(frozen=True)
class Built:
    """A package, as folders or zip files.

    The layer has the libraries, under `python/`; `code` is our code of each function, by the function's key.
    """

    layer: Path
    code: Mapping[str, Path]


def build(target: Target) -> Mapping[Package, Built]:
    """Bring the folders of every package up to date.

    For AWS, where the functions run on another Python than this one, it says so on stderr: no bytecode is made then.

    Raises:
        PackageError: `infra.package.cuts` does not fit the libraries, our code imports what the package does not have,
            or the functions cannot run on the Python that is wanted.
        subprocess.CalledProcessError: uv could not export or install; what it said is on stderr.
    """
    python = functions_python() if target == "aws" else building_python()
    if python != building_python():
        print(
            f"functions run on Python {python}, this is {building_python()}: the package has source and no bytecode, "
            "so every cold start compiles it",
            file=sys.stderr,
        )
    with _exclusively():
        return {package: _built(target, package, python) for package in PACKAGES}


def build_zips(target: Target) -> Mapping[Package, Built]:
    """Every package as zip files, the same bytes for the same contents; raises what `build` does.

    Beside each layer is its bill of materials.
    """
    folders = build(target)
    with _exclusively():
        return {package: _zipped(package, built) for package, built in folders.items()}


def bill_of(layer: Path) -> Path:
    """Where the bill of materials of a layer is: CycloneDX 1.6, as JSON."""
    return layer.with_suffix(".cdx.json")


def _built(target: Target, package: Package, python: str) -> Built:
    compiled = python == building_python()
    folder = OUTPUT / f"{target}-{python}"
    recipe = [ROOT / "pyproject.toml", ROOT / "uv.lock", *Path(__file__).parent.glob("*.py")]
    libraries = digest(recipe, ROOT, f"{package} {folder.name} {sys.version} {sys.executable}")
    layer, code = folder / f"{package}-layer", folder / f"{package}-code"

    def make_layer(made: Path) -> None:
        write_layer(package, made / "python", python=python if target == "aws" else None)
        if compiled:
            compile_in_place_of_source(made, "/opt")

    def make_code(made: Path) -> None:
        write_code(package, made, layer / "python", compiled=compiled)

    _make_where_changed(layer, libraries, make_layer)
    _make_where_changed(code, digest(own_files(), ROOT, libraries), make_code)
    return Built(layer, {function: code / function for function in functions_of(package)})


def _zipped(package: Package, built: Built) -> Built:
    def zipped(folder: Path, stamp: Path) -> Path:
        archive = folder.with_suffix(".zip")
        _make_where_changed(archive, stamp.read_text(), lambda made: write_zip(folder, made))
        return archive

    def make_bill(made: Path) -> None:
        from infra.package.bill_of_materials import bill_of_materials  # noqa: PLC0415 - 0.4 s, where layers change alone

        made.write_text(bill_of_materials(package, built.layer / "python"), encoding="utf-8")

    _make_where_changed(bill_of(built.layer), _stamp(built.layer).read_text(), make_bill)
    code = {function: zipped(folder, _stamp(folder.parent)) for function, folder in built.code.items()}
    return Built(zipped(built.layer, _stamp(built.layer)), code)


def _make_where_changed(result: Path, made_from: str, make: Callable[[Path], None]) -> None:
    """Make the file or folder `result`, unless it was made from the same: `made_from` tells apart what goes into it."""
    stamp = _stamp(result)
    if result.exists() and stamp.exists() and stamp.read_text() == made_from:
        return
    stamp.unlink(missing_ok=True)
    result.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=OUTPUT) as scratch:
        made = Path(scratch, "made")
        make(made)
        if result.is_dir():
            shutil.rmtree(result)
        made.replace(result)
    stamp.write_text(made_from)


def _stamp(result: Path) -> Path:
    return result.with_name(f"{result.name}.stamp")


@contextmanager
def _exclusively() -> Iterator[None]:
    """One build at a time, whichever process asks."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
