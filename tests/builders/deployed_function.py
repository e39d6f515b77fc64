"""Functions as they are deployed, each call a process of its own: unpacked from what is uploaded, they see no more."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.function_spec import FunctionSpec
from infra.package import build_zips

_PROGRAM = """
import importlib, json, sys
from types import SimpleNamespace
path, *sys.path[:0] = sys.argv[1:]
module, _, name = path.rpartition(".")
context = SimpleNamespace(
    function_name=module,
    memory_limit_in_mb=512,
    invoked_function_arn=f"arn:aws:lambda:{module}",
    aws_request_id="request-1",
    get_remaining_time_in_millis=lambda: 60_000,
)
answer = getattr(importlib.import_module(module), name)(json.load(sys.stdin), context)
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Called:
    """What a call answered, and what the function printed."""

    answer: Any
    printed: str


def unpacked(function: FunctionSpec, folder: Path) -> Sequence[str]:
    """Unpack a function below `folder`; returns where Python finds our code and the libraries."""
    built = build_zips("local")[function.package]
    for archive, name in ((built.layer, "opt"), (built.code[function.key], "task")):
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder / name)
    return [str(folder / "task"), str(folder / "opt" / "python")]


def call(
    function: FunctionSpec, paths: Sequence[str], event: Mapping[str, Any], environment: Mapping[str, str]
) -> Called:
    """Call a function that was unpacked to these paths, in this environment and no other."""
    command = [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, function.handler, *paths]
    done = subprocess.run(command, input=json.dumps(event), env=environment, check=True, capture_output=True, text=True)
    *printed, answer = done.stdout.splitlines()
    return Called(json.loads(answer), "\n".join([*printed, done.stderr]))
