"""How long a function takes to start, and how large its package is."""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.functions import AUTHORIZER, FUNCTIONS
from infra.package import Built, Package, build_zips
from tests.builders.environment import ENVIRONMENT

_ROUNDS = 10
_PROGRAM = """
import importlib, sys, time
module, *sys.path[:0] = sys.argv[1:]
started = time.process_time()
importlib.import_module(module)
print((time.process_time() - started) * 1000)
"""


def measure() -> dict[str, float]:
    """``init_ms.<function>`` and ``init_ms.boto3``, a cold import each in a fresh process, and what is uploaded.

    A function is imported as on AWS, its clients created: from its layer and code as zipped, unpacked and read-only,
    with no bytecode kept elsewhere; boto3 from the ordinary installation, with bytecode that a first round makes. Each
    is the median of ten, taken in turns so that all meet the same machine. The milliseconds are the processor's: an
    import waits for nothing, and what else the machine does is not its time.

    ``code_bytes`` is the largest zip file with a function's code for AWS, of the package that most functions share;
    ``package_bytes`` is the same and the layer. ``.api`` are those of the package behind the HTTP API.

    Raises:
        RuntimeError: starting functions changed the files that they start from.
    """
    built = build_zips("aws")
    layers = {package: made.layer.stat().st_size for package, made in built.items()}
    codes = {package: max(archive.stat().st_size for archive in made.code.values()) for package, made in built.items()}
    return {
        **_init_ms(),
        "package_bytes": layers["main"] + codes["main"],
        "package_bytes.api": layers["api"] + codes["api"],
        "code_bytes": codes["main"],
        "code_bytes.api": codes["api"],
    }


def _init_ms() -> dict[str, float]:
    with TemporaryDirectory() as scratch:
        deployed, bytecode = Path(scratch, "deployed"), Path(scratch, "bytecode")
        paths = _unpacked(build_zips("local"), deployed)
        before = _contents(deployed)
        of_boto3 = ["boto3", sysconfig.get_path("purelib")]
        _import_ms(f"-Xpycache_prefix={bytecode}", *of_boto3)
        commands = {
            **{each.key: ["-B", _module(each.handler), *paths[each.key]] for each in (*FUNCTIONS, AUTHORIZER)},
            "boto3": [f"-Xpycache_prefix={bytecode}", *of_boto3],
        }
        rounds = [{key: _import_ms(*command) for key, command in commands.items()} for _ in range(_ROUNDS)]
        if _contents(deployed) != before:
            raise RuntimeError(f"starting functions changed what they start from, in {deployed}")
        for folder in deployed.rglob("*/"):
            folder.chmod(0o755)
    return {f"init_ms.{key}": statistics.median(taken[key] for taken in rounds) for key in commands}


def _module(handler: str) -> str:
    return handler.rpartition(".")[0]


def _unpacked(packages: Mapping[Package, Built], folder: Path) -> dict[str, list[str]]:
    """Where Python finds the code and the libraries of each function, unpacked below `folder` and read-only."""
    paths = {}
    for package, built in packages.items():
        _extract(built.layer, folder / package / "opt")
        for function, archive in built.code.items():
            _extract(archive, folder / package / function)
            paths[function] = [str(folder / package / function), str(folder / package / "opt" / "python")]
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return paths


def _extract(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)


def _contents(folder: Path) -> str:
    """Tells apart the names and contents of everything in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(f"{path} ".encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _import_ms(option: str, module: str, *paths: str) -> float:
    """One import by an interpreter that sees these paths and the standard library alone."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", option, "-c", _PROGRAM, module, *paths],
        env={"PATH": os.environ["PATH"], **ENVIRONMENT},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
