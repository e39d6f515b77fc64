"""Processes of functions, forked from one that has imported their libraries: most of a start is these imports.

There is a fork server for each set of libraries. A process ends alone; credentials are those of its own function.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from ministack.core import lambda_runtime  # type: ignore[import-not-found]

FORK_SERVER = str(Path(__file__).parents[2] / "lambda_runtime" / "fork_server.py")


def patch() -> None:
    """Let fork servers start what would start as a program."""
    servers = _ForkServers()
    lambda_runtime.subprocess = SimpleNamespace(
        Popen=servers.start, DEVNULL=subprocess.DEVNULL, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT
    )


class _ForkServers:
    """Those that run, by the folders of their libraries, with the socket that each of them listens to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, ...], socket.socket] = {}

    def start(self, _program: list[str], *, env: dict[str, str], **_inherited: Any) -> _Process:
        """A process of the function that this environment describes."""
        layers = [f"{layer}/python" for layer in env["_LAMBDA_LAYERS_DIRS"].split(os.pathsep)]
        libraries = tuple(folder for folder in layers if Path(folder).is_dir())
        ours, theirs = socket.socketpair()
        readable, writable = os.pipe()
        with theirs:
            ours.sendall(json.dumps(env).encode() + b"\n")
            with self._lock:
                socket.send_fds(self._server(libraries), [b"f"], [writable, theirs.fileno()])
        os.close(writable)
        return _Process(ours, os.fdopen(readable, "rb"))

    def _server(self, libraries: tuple[str, ...]) -> socket.socket:
        if libraries not in self._running:
            ours, theirs = socket.socketpair()
            with theirs:
                # Isolated, and without site-packages: functions see their code and their layers, and nothing else.
                subprocess.Popen([sys.executable, "-I", "-S", FORK_SERVER, *libraries], stdin=theirs.fileno())  # noqa: S603
            self._running[libraries] = ours
        return self._running[libraries]


class _Process:
    """A forked process: as much of `subprocess.Popen` as the emulator makes use of."""

    def __init__(self, life: socket.socket, stdout: BinaryIO) -> None:
        self.stdout = stdout
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._life, self._lines = life, life.makefile("rb")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """The exit code, if the process has ended."""
        return self._exit_code(within=0)

    def wait(self, timeout: float) -> int:
        """The exit code, once the process has ended.

        Raises:
            TimeoutExpired: it has not, `timeout` seconds later.
        """
        code = self._exit_code(within=timeout)
        if code is None:
            raise subprocess.TimeoutExpired(FORK_SERVER, timeout)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _exit_code(self, within: float) -> int | None:
        with self._lock:
            if self.returncode is None and wait([self._life], within):
                # Nothing is told when the server itself has ended.
                self.returncode = int(self._lines.readline() or -signal.SIGKILL)
                self._lines.close()
                self._life.close()
        return self.returncode
