"""The runtime that a function has on one machine, in a process that the fork server made for it.

It speaks the Lambda runtime API the way AWS's own Python runtime does: the class name of an exception is the error's
type, an exception leaves the process alive, anything that is not an Exception (SystemExit, say) ends it as a crash.
"""

import http.client
import importlib
import json
import os
import socket
import sys
import time
import traceback
from typing import Any

API = "/2018-06-01/runtime"
QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only; without it a call takes 50 ms more


class Context:
    """The context object that Lambda gives to a handler."""

    identity = None
    client_context = None

    def __init__(self, headers: http.client.HTTPMessage) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", f"/aws/lambda/{self.function_name}")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, self._deadline_ms - int(time.time() * 1000))


class RuntimeApi:
    """One persistent connection to the runtime API."""

    def __init__(self) -> None:
        self._connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method: str, path: str, value: Any = None) -> tuple[http.client.HTTPMessage, bytes]:
        """One request; SystemExit once the execution environment is stopped."""
        body = None if method == "GET" else json.dumps(value).encode()
        try:
            self._connection.request(method, API + path, body)
            if QUICK_ACK is not None:
                # The answer comes in two segments; the second waits for the first one's acknowledgement.
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            sys.exit(0)
        if response.status >= 500:
            sys.exit(0)
        return response.headers, answer


def error(problem: Exception) -> dict[str, Any]:
    """The exception as the runtime API wants it."""
    return {
        "errorType": type(problem).__name__,
        "errorMessage": str(problem),
        "stackTrace": traceback.format_tb(problem.__traceback__),
    }


def main() -> None:
    """Import the handler, then answer one event after the other. The layers' libraries are found already."""
    api = RuntimeApi()
    layers = [layer for layer in os.environ["_LAMBDA_LAYERS_DIRS"].split(os.pathsep) if layer]
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    # On AWS all layers are in /opt.
    for name, value in os.environ.items():
        if value.startswith("/opt/"):
            found = (f"{layer}{value.removeprefix('/opt')}" for layer in layers)
            os.environ[name] = next(file for file in found if os.path.exists(file))  # noqa: PTH110 - pathlib is 5 ms
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    try:
        handler = getattr(importlib.import_module(module), name)
    except Exception as problem:
        traceback.print_exc()
        api.call("POST", "/init/error", error(problem))
        sys.exit(1)
    while True:
        headers, event = api.call("GET", "/invocation/next")
        context, began = Context(headers), time.process_time()
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        path = f"/invocation/{context.aws_request_id}"
        records = 1
        try:
            given = json.loads(event)
            records = len(given.get("Records", "1"))
            outcome = ("POST", f"{path}/response", handler(given, context))
        except Exception as problem:
            traceback.print_exc()
            outcome = ("POST", f"{path}/error", error(problem))
        # The emulator waits up to 50 ms for a line of output.
        worked = (time.process_time() - began) * 1000
        done = f"END RequestId: {context.aws_request_id} Processor: {worked:.1f} ms Records: {records}"
        print(done, flush=True)
        api.call(*outcome)
