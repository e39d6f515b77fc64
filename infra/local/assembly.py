"""The assembly that runs on this machine, kept in `build` and synthesized again only where its sources have changed."""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.deploy import DeploymentError
from infra.local.emulator.process import BUILD, ROOT
from infra.names import LOCAL_ENVIRONMENT
from infra.package.files import digest
from infra.settings.environment import file_of

FOLDERS = ("events", "handlers", "infra", "statemachines")
KINDS = ("json", "py", "toml")
SYNTHESIZE = """
import pathlib, sys
from infra.app import synthesize
from infra.package import build_zips
from infra.settings.environment import read_settings
synthesize(build_zips("local"), sys.argv[1], read_settings(pathlib.Path(sys.argv[2])), pathlib.Path(sys.argv[3]))
"""


@contextlib.contextmanager
def assembly(environment: str = LOCAL_ENVIRONMENT, settings: Path | None = None) -> Iterator[Path]:
    """The assembly's folder, up to date; nobody replaces it for the time of the block.

    `settings` is the file of the environment's settings, if not the one of its name.

    Raises:
        DeploymentError: it cannot be synthesized.
    """
    settings = settings or file_of(environment)
    folder = BUILD / f"assembly-{settings.stem}"
    stamp = folder.with_suffix(".stamp")
    BUILD.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sources = _sources(settings)
        if not stamp.exists() or stamp.read_text() != sources:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            _synthesize(environment, settings, folder)
            stamp.write_text(sources)
        yield folder


def _sources(settings: Path) -> str:
    """Tells apart whatever the assembly is made from: our code, the libraries as locked, and the interpreter."""
    own = [file for folder in FOLDERS for kind in KINDS for file in (ROOT / folder).rglob(f"*.{kind}")]
    made_by = f"{sys.version} {sys.executable} {settings.read_text(encoding='utf-8')}"
    return digest([*own, ROOT / "pyproject.toml", ROOT / "uv.lock"], ROOT, made_by)


def _synthesize(environment: str, settings: Path, folder: Path) -> None:
    # A process of its own: CDK's Node, hundreds of megabytes, ends with it. And a session of its own: Ctrl-C ends
    # this process in order, not Node before it.
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SYNTHESIZE, environment, str(settings), str(folder)],
        cwd=ROOT,
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DeploymentError(f"cannot synthesize:\n{done.stderr}")
