"""Starts and stops the emulator: one process on a loopback port, in an environment and a folder of its own."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import boto3
import uv
from botocore.config import Config

from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build"
VENV = ROOT / ".venv-emulator"
# Says which emulator is up. The emulator locks the file as long as it lives; a file without a lock is stale.
UP = BUILD / "emulator.json"
HOST = "127.0.0.1"
DEFAULT_PORT = 4566
REGION = EMULATOR_REGION
ACCOUNT = EMULATOR_ACCOUNT
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 20.0


class EmulatorError(Exception):
    """The emulator could not be installed or started, or one is up already."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its port, its process and process group, and the folder of its state."""

    port: int
    pid: int
    home: str

    @property
    def endpoint(self) -> str:
        """The URL of every API."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What it prints, which is little unless something is wrong. Kept after it unless all went well."""
        return BUILD / f"emulator-{self.port}.log"

    def client(self, service: str) -> Any:
        """A boto3 client as the root of the emulator's account. Clients may be shared between threads."""
        session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key=ACCOUNT, region_name=REGION)
        return session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            # Without a name of its own, botocore puts its user agent together anew for each call.
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=50, user_agent="order-pipeline"),
        )

    def scale_waits(self, factor: float) -> None:
        """Let the waits and retry intervals of state machines take `factor` of their time from now on."""
        body = json.dumps({"stepfunctions._SFN_WAIT_SCALE": factor}).encode()
        with urllib.request.urlopen(f"{self.endpoint}/_ministack/config", data=body, timeout=10) as answer:  # noqa: S310
            answer.read()


def install() -> Path:
    """Make the emulator's environment what the lock file says, and return its interpreter."""
    done = subprocess.run(  # noqa: S603
        [uv.find_uv_bin(), "sync", "--frozen", "--only-group", "emulator", "--python", sys.executable],
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(VENV)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EmulatorError(f"cannot install the emulator into {VENV}:\n{done.stderr}")
    return VENV / "bin" / "python"


@contextlib.contextmanager
def emulator(port: int | None = None) -> Iterator[Emulator]:
    """An emulator for the time of the block, on `port` or a free one.

    It ends when the block does, and when this process is gone, whatever the reason. Raises EmulatorError.
    """
    process, running = _start(port or _free_port(), stdin=subprocess.PIPE)
    try:
        _wait_until_ready(process, running)
        yield running
    except BaseException:
        _end(process, running)
        raise
    _end(process, running)
    running.log.unlink(missing_ok=True)


def start(port: int = DEFAULT_PORT) -> Emulator:
    """Start an emulator that outlives this process; `stop` ends it. Raises EmulatorError if one is up already."""
    BUILD.mkdir(exist_ok=True)
    with UP.open("a+", encoding="utf-8") as file:
        if not _lock(file):
            raise EmulatorError(f"an emulator is up already, see {UP}")
        file.truncate(0)
        process, running = _start(port, stdin=subprocess.DEVNULL, inherits=(file.fileno(),))
        file.write(json.dumps(asdict(running)))
        file.flush()
        try:
            _wait_until_ready(process, running)
        except BaseException:
            _end(process, running)
            UP.unlink()
            raise
        return running


def find() -> Emulator | None:
    """The emulator that `start` left running, if it still is."""
    if not UP.exists():
        return None
    with UP.open(encoding="utf-8") as file:
        text = "" if _lock(file) else file.read()
    return Emulator(**json.loads(text)) if text else None


def stop() -> bool:
    """End the emulator that `start` left running, and all its functions. False if there is none."""
    running = find()
    if running is None:
        UP.unlink(missing_ok=True)
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_STOP
    while find() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    _sweep(running)
    UP.unlink(missing_ok=True)
    return True


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _start(port: int, *, stdin: int, inherits: tuple[int, ...] = ()) -> tuple[subprocess.Popen[bytes], Emulator]:
    interpreter = install()
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise EmulatorError(f"port {port} is taken")
    BUILD.mkdir(exist_ok=True)
    home = tempfile.mkdtemp(prefix="order-pipeline-")
    arguments = [str(interpreter), str(Path(__file__).with_name("server.py")), home]
    try:
        with (BUILD / f"emulator-{port}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [*arguments, "--lifeline"] if stdin == subprocess.PIPE else arguments,
                env=_environment(port, home),
                cwd=home,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=inherits,
                # A session of its own: Ctrl-C reaches this process, which then ends the emulator in order.
                start_new_session=True,
            )
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return process, Emulator(port, process.pid, home)


def _environment(port: int, home: str) -> dict[str, str]:
    """The emulator's environment, which its functions inherit: nothing of the caller's AWS settings is in it."""
    passed_on = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return passed_on | {
        "HOME": home,
        "TMPDIR": home,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AUTH": "true",
        "LOG_LEVEL": "WARNING",
        "STATE_DIR": f"{home}/state",
        "S3_DATA_DIR": f"{home}/s3",
        # They would listen on every interface, and are not used.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It would look for containers of earlier runs.
        "DOCKER_HOST": f"unix://{home}/no-docker",
    }


def _wait_until_ready(process: subprocess.Popen[bytes], running: Emulator) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{running.endpoint}/_ministack/ready", timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.05)
    tail = running.log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise EmulatorError(f"the emulator did not start on port {running.port}; {running.log} ends with:\n{tail}")


def _end(process: subprocess.Popen[bytes], running: Emulator) -> None:
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _sweep(running)
    if process.stdin is not None:
        process.stdin.close()


def _sweep(running: Emulator) -> None:
    """End what is left of the emulator's process group, its functions included, and remove its folder."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, signal.SIGKILL)
    shutil.rmtree(running.home, ignore_errors=True)
