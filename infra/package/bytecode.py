"""Compiles what is deployed, since Lambda mounts it read-only: else every cold start compiles it again.

The bytecode is never checked against a source (PEP 552, unchecked), and the same for the same source: a process of its
own makes it, for what marshal writes depends on what else its process has interned. Where the code will be (`deployed`)
is in it, for tracebacks.
"""

import subprocess
import sys
from pathlib import Path


def compile_beside_source(folder: Path, deployed: str) -> None:
    """Add `__pycache__` folders: tracebacks show lines of source."""
    _compile(folder, deployed)


def bytecode_of(source: Path) -> Path:
    """Where `compile_beside_source` puts the bytecode of a source file."""
    return source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"


def compile_in_place_of_source(folder: Path, deployed: str) -> None:
    """Replace every `module.py` by `module.pyc`: tracebacks name file and line, and the zip is a fifth smaller."""
    _compile(folder, deployed, "-b")
    for source in folder.rglob("*.py"):
        source.unlink()


def _compile(folder: Path, deployed: str, *options: str) -> None:
    compileall = [sys.executable, "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*compileall, *options, "-s", folder, "-p", deployed, folder], check=True)  # noqa: S603
