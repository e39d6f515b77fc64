"""Files in folders and zip files, in the same order and with the same bytes wherever they are written."""

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_READ_ONLY = 0o444 << 16


def files(folder: Path) -> list[Path]:
    """All files below a folder, in order."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def write(file: Path, content: bytes) -> None:
    """Write a file, and the folders it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def write_zip(folder: Path, archive: Path | IO[bytes]) -> None:
    """Write all files below a folder into a zip file: the same bytes for the same files."""
    with zipfile.ZipFile(archive, "w") as content:
        for file in files(folder):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _ZIP_TIME)
            entry.external_attr = _READ_ONLY
            content.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def digest(contents: Iterable[Path], root: Path, salt: str) -> str:
    """Tells apart files below `root` by their names and contents, and `salt`."""
    digest = hashlib.sha256(salt.encode())
    for file in sorted(contents):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
