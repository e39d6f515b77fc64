"""The functions' deployment packages: our code, and the libraries it needs cut to what it uses.

There are two: `main`, which nearly all share, and `api` for those behind the HTTP API, whose libraries are larger.

Built without Docker from wheels that `uv.lock` pins: for AWS (Python 3.13 on arm64), or for this interpreter, so that
the local run proves the very cuts that AWS gets.
"""

import fcntl
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from uv import find_uv_bin

from infra.bundle import cuts
from infra.bundle.imports import unresolved
from infra.bundle.slim import slimmed

Target = Literal["aws", "local"]
Package = Literal["main", "api"]
PACKAGES: tuple[Package, ...] = ("main", "api")

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "build" / "bundle"
OWN = ("events", "handlers")
# Our code that needs the libraries of the package `api`, and is in no other.
OWN_OF_API = (ROOT / "handlers" / "api", ROOT / "handlers" / "functions" / "api")

_PLATFORM: Mapping[Target, tuple[str, ...]] = {
    "aws": ("--python-platform", "aarch64-manylinux2014", "--python-version", "3.13"),
    "local": ("--python", sys.executable),
}
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class CutFailed(Exception):
    """A cut does not fit the libraries as locked, or leaves an import that finds nothing."""


def build(target: Target, package: Package = "main") -> Path:
    """Bring a package's folder up to date and return it: what is zipped is all that is in it.

    Raises:
        CutFailed: `infra.bundle.cuts` does not fit the libraries, or our code imports what the package does not have.
        subprocess.CalledProcessError: uv could not export or install; what it said is on stderr.
    """
    folder = OUTPUT / f"{target}-{package}"
    with _exclusively():
        recipe = [ROOT / "pyproject.toml", ROOT / "uv.lock", *Path(__file__).parent.glob("*.py")]
        libraries = digest(recipe, f"{folder.name} {sys.version} {sys.executable}")
        own = _sources(package)
        sources = digest(own, libraries)
        stamp = folder.with_suffix(".stamp")
        built = stamp.read_text().split() if folder.exists() and stamp.exists() else []
        if built == [libraries, sources]:
            return folder
        if built[:1] != [libraries]:
            stamp.unlink(missing_ok=True)
            _build_libraries(target, package, folder)
            stamp.write_text(libraries)
        _copy_sources(own, folder)
        stamp.write_text(f"{libraries} {sources}\n")
    return folder


def zip_bundle(target: Target, package: Package = "main") -> Path:
    """A package as a zip file, the same bytes for the same contents; built where it is out of date."""
    folder = build(target, package)
    archive, stamp = folder.with_suffix(".zip"), folder.with_suffix(".stamp")
    with _exclusively():
        if archive.exists() and archive.stat().st_mtime_ns > stamp.stat().st_mtime_ns:
            return archive
        unfinished = archive.with_suffix(".part")
        with zipfile.ZipFile(unfinished, "w") as content:
            for file in _files(folder):
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _ZIP_TIME)
                entry.external_attr = 0o644 << 16
                content.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
        unfinished.replace(archive)
    return archive


def build_all(target: Target) -> dict[Package, Path]:
    """The folders of both packages, up to date; raises what `build` does."""
    return {package: build(target, package) for package in PACKAGES}


def zip_bundles(target: Target) -> dict[Package, Path]:
    """Both packages as zip files."""
    return {package: zip_bundle(target, package) for package in PACKAGES}


def _build_libraries(target: Target, package: Package, folder: Path) -> None:
    with TemporaryDirectory(dir=OUTPUT) as scratch:
        installed, kept = Path(scratch, "installed"), Path(scratch, "kept")
        _install(target, package, installed)
        _cut(package, installed, kept)
        _check_libraries(package, kept)
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)


def _install(target: Target, package: Package, folder: Path) -> None:
    """Install what the package's functions depend on, as locked."""
    uv = find_uv_bin()
    requirements = folder.with_suffix(".txt")
    left_out = [f"--no-emit-package={name}" for name in cuts.PACKAGES_LEFT_OUT]
    groups = ["--no-default-groups", "--group", {"main": "functions", "api": "api"}[package]]
    export = [uv, "export", "--quiet", "--frozen", "--no-emit-project", *groups, *left_out]
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", *_PLATFORM[target]]
    _run([*export, "--output-file", str(requirements)])
    _run([*install, "--target", str(folder), "--requirement", str(requirements)])


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - no outside input


def _cut(package: Package, installed: Path, kept: Path) -> None:
    """Copy what stays of the libraries, Python files slimmed, with the service models trimmed to what is called."""
    left_out = {*cuts.LEFT_OUT, *cuts.LEFT_OUT_OF[package]}
    unmet = {*left_out, *cuts.ONLY, *cuts.REPLACED, *cuts.CHANGED, *cuts.IMPORTED_LATER, *cuts.EMPTIED}
    for file in _files(installed):
        path = file.relative_to(installed).as_posix()
        met = set(_cuts_met(path, left_out))
        unmet -= {path, *met}
        if path in cuts.REPLACED and not met & cuts.LEFT_OUT_OF[package].keys():
            _write(kept / path, cuts.REPLACED[path][0].encode())
        elif not met:
            _write(
                kept / path,
                slimmed_library(path, file.read_text()).encode() if file.suffix == ".py" else file.read_bytes(),
            )
    _complain("cuts that meet nothing in the libraries as locked", unmet)
    _trim_service_models(installed / "botocore" / "data", kept / "botocore" / "data")


def slimmed_library(path: str, source: str) -> str:
    """A library's module as it is shipped.

    Raises:
        CutFailed: the cuts that name its path do not fit it.
    """
    if path in cuts.CHANGED:
        before, after, _ = cuts.CHANGED[path]
        if f"{source}\n".count(f"\n{before}\n") != 1:
            raise CutFailed(f"{path} does not have, exactly once: {before}")
        source = source.replace(f"\n{before}\n", f"\n{after}\n")
    later, _ = cuts.IMPORTED_LATER.get(path, ((), ""))
    emptied, _ = cuts.EMPTIED.get(path, (None, ""))
    try:
        return slimmed(source, imported_later=later, emptied=emptied)
    except ValueError as mismatch:
        raise CutFailed(f"{path}: {mismatch}") from mismatch


def _cuts_met(path: str, left_out: Iterable[str]) -> Iterator[str]:
    yield from (pattern for pattern in left_out if fnmatch(path, pattern))
    for folder, (stay, _) in cuts.ONLY.items():
        if path.startswith(f"{folder}/") and path.removeprefix(f"{folder}/").partition("/")[0] not in stay:
            yield folder


def _trim_service_models(data: Path, kept: Path) -> None:
    prefixes = set()
    for service, operations in cuts.OPERATIONS.items():
        newest = max((data / service).iterdir())
        model = _trimmed(_load(newest / "service-2.json.gz"), operations)
        prefixes.add(model["metadata"]["endpointPrefix"])
        _write_json(kept / service / newest.name / "service-2.json", model)
        _write_json(
            kept / service / newest.name / "endpoint-rule-set-1.json", _load(newest / "endpoint-rule-set-1.json.gz")
        )
    endpoints = _load(data / "endpoints.json")
    for partition in endpoints["partitions"]:
        partition["services"] = {key: value for key, value in partition["services"].items() if key in prefixes}
    _write_json(kept / "endpoints.json", endpoints)
    for name in ("_retry.json", "partitions.json", "sdk-default-configuration.json"):
        _write_json(kept / name, _load(data / name))


def _trimmed(model: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """A botocore service model with these operations, the shapes they reach, and no documentation."""
    model["operations"] = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    waiting = list(_shape_names(model["operations"]))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting += _shape_names(shapes[name])
    trimmed: dict[str, Any] = _undocumented({**model, "shapes": shapes})
    for parameter in trimmed.get("clientContextParams", {}).values():
        parameter["documentation"] = ""  # botocore reads it
    return trimmed


def _shape_names(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _shape_names(inner)


def _undocumented(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: _undocumented(value)
            for key, value in part.items()
            if not (key.startswith("documentation") and isinstance(value, str))
        }
    return [_undocumented(inner) for inner in part] if isinstance(part, list) else part


def _copy_sources(sources: Iterable[Path], folder: Path) -> None:
    for package in OWN:
        shutil.rmtree(folder / package, ignore_errors=True)
    for file in sources:
        _write(folder / file.relative_to(ROOT), file.read_bytes())
    own = [file for package in OWN for file in _python(folder / package)]
    missing = unresolved(folder, own, optional=False)
    _complain("our code imports what the package does not have", [f"{module}: {name}" for module, name in missing])


def _sources(package: Package) -> list[Path]:
    kinds = ("py", "toml")
    files = [file for own in OWN for kind in kinds for file in sorted((ROOT / own).rglob(f"*.{kind}"))]
    return [file for file in files if package == "api" or not any(folder in file.parents for folder in OWN_OF_API)]


def _check_libraries(package: Package, folder: Path) -> None:
    unreached = {*cuts.UNREACHED, *cuts.UNREACHED_IN[package]}
    missing = [f"{module} imports {name}" for module, name in unresolved(folder, _python(folder), optional=True)]
    _complain("imports of what is cut", [found for found in missing if not any(fnmatch(found, p) for p in unreached)])
    _complain("not imported at all", [p for p in unreached if not any(fnmatch(found, p) for found in missing)])


def _python(folder: Path) -> list[Path]:
    return [file for file in _files(folder) if file.suffix == ".py"]


def _complain(what: str, found: Iterable[str]) -> None:
    if listed := "\n  ".join(sorted(found)):
        raise CutFailed(f"{what}:\n  {listed}")


def digest(files: Iterable[Path], salt: str) -> str:
    """Tells apart files of this repository by their names and contents, and `salt`."""
    digest = hashlib.sha256(salt.encode())
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Its files in order, without the bytecode that running from it leaves."""
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)


def _load(file: Path) -> Any:
    content = file.read_bytes()
    return json.loads(gzip.decompress(content) if file.suffix == ".gz" else content)


def _write_json(file: Path, content: Any) -> None:
    _write(file, json.dumps(content, separators=(",", ":")).encode())


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


@contextmanager
def _exclusively() -> Iterator[None]:
    """One build at a time, whichever process asks."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
