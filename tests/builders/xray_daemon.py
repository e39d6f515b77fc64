"""X-Ray's daemon, as far as functions know it: who gets their traces, on a port of this machine."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LARGEST = 65_536
_TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={sampled:d}"


class XRayDaemon:
    """Keeps what it is sent. A function's process is ended before this is asked."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    def environment(self, *, sampled: bool = True) -> Mapping[str, str]:
        """What Lambda has in the environment of a function whose calls are traced, and of a call that is sampled."""
        host, port = self._listening.getsockname()
        return {
            "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}",
            "LAMBDA_TASK_ROOT": "/var/task",
            "_X_AMZN_TRACE_ID": _TRACE.format(sampled=sampled),
        }

    def received(self) -> list[str]:
        """Every datagram since this was last asked."""
        found: list[str] = []
        while True:
            try:
                found.append(self._listening.recv(_LARGEST).decode())
            except BlockingIOError:
                return found

    def segments(self) -> Iterator[dict[str, Any]]:
        """Every segment since this was last asked, and each that is part of another."""
        waiting = [json.loads(each.partition("\n")[2]) for each in self.received()]
        while waiting:
            segment = waiting.pop()
            waiting += segment.get("subsegments", ())
            yield segment


@contextmanager
def xray_daemon() -> Iterator[XRayDaemon]:
    """A daemon for the time of the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(("127.0.0.1", 0))
        yield XRayDaemon(listening)
