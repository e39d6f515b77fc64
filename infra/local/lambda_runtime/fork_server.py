"""Forks the processes of functions: run as a script by the emulator, never imported.

It imports once the libraries that functions share. A function's process is forked from it, takes an environment of its
own, and then imports the function's code and creates its clients: a start takes a third of the processor's time.

Arguments: the folders of the libraries. Standard input is a Unix socket; at its end the server ends, too. A byte there
asks for a process, and comes with two descriptors: the process's output, and the end of a socket. That socket has the
environment, as a line of JSON; it is answered with the process's id, and at the process's end with the exit code, each
on a line.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

LIBRARIES = (
    "asyncio",
    "botocore.endpoint",
    "botocore.httpsession",
    "botocore.paginate",
    "botocore.session",
    "botocore.signers",
    "botocore.waiter",
    "pydantic.alias_generators",
    "pydantic.networks",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.tracing",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.parser",
)
"""What functions import, and what does not depend on the environment in which it is imported."""


class ForkServer:
    """The server: `control` asks for processes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._started: dict[int, socket.socket] = {}
        self._ended, self._notify = os.pipe()

    def serve(self) -> None:
        """Fork what is asked for. Returns in each process that was forked; the server itself ends here."""
        os.set_blocking(self._notify, False)
        signal.set_wakeup_fd(self._notify)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            readable, _, _ = select.select([self._control.fileno(), self._ended], [], [])
            if self._ended in readable:
                os.read(self._ended, 1024)
                self._reap()
            if self._control.fileno() in readable:
                asked, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
                if not asked:
                    sys.exit(0)
                if not self._fork(*descriptors):
                    return

    def _fork(self, output: int, life: int) -> int:
        caller = socket.socket(fileno=life)
        with caller.makefile("rb") as lines:
            environment = json.loads(lines.readline())
        process = os.fork()
        if process:
            os.close(output)
            self._started[process] = caller
            _tell(caller, process)
        else:
            self._let_go(output, caller)
            os.environ.clear()
            os.environ.update(environment)
            time.tzset()
            os.chdir(environment["LAMBDA_TASK_ROOT"])
        return process

    def _let_go(self, output: int, caller: socket.socket) -> None:
        """Keep nothing of the server's, and make `output` the only thing to write to."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (self._control, caller, *self._started.values()):
            each.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        for descriptor in (output, self._ended, self._notify):
            os.close(descriptor)
        os.open(os.devnull, os.O_RDONLY)  # is descriptor 0 now, the lowest that is free

    def _reap(self) -> None:
        """Tell of the processes that have ended."""
        while self._started:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            with self._started.pop(process) as caller:
                _tell(caller, os.waitstatus_to_exitcode(status))


def _tell(caller: socket.socket, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        caller.sendall(b"%d\n" % number)


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    for library in LIBRARIES:
        with contextlib.suppress(ModuleNotFoundError):  # a function that needs it will say so
            importlib.import_module(library)
    sys.path.append(str(Path(__file__).parent))
    import runtime  # type: ignore[import-not-found]

    sys.path.pop()
    gc.freeze()
    ForkServer(socket.socket(fileno=0)).serve()
    runtime.main()
