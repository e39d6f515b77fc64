"""botocore's data on AWS's services, trimmed to the operations that the functions call."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from infra.package.cuts import OPERATIONS
from infra.package.files import write

_AS_THEY_ARE = ("_retry.json", "partitions.json", "sdk-default-configuration.json")
_RULES = "endpoint-rule-set-1.json.gz"


def write_service_models(data: Path, kept: Path) -> None:
    """Write what stays of botocore's folder `data` into the folder `kept`."""
    prefixes = set()
    for service, operations in OPERATIONS.items():
        newest = max((data / service).iterdir())
        model = trimmed(json.loads(gzip.decompress((newest / "service-2.json.gz").read_bytes())), operations)
        prefixes.add(model["metadata"]["endpointPrefix"])
        _write_json(kept / service / newest.name / "service-2.json", model)
        write(kept / service / newest.name / _RULES, (newest / _RULES).read_bytes())
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        partition["services"] = {key: value for key, value in partition["services"].items() if key in prefixes}
    _write_json(kept / "endpoints.json", endpoints)
    for name in _AS_THEY_ARE:
        write(kept / name, (data / name).read_bytes())


def trimmed(model: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """A botocore service model with these operations, the shapes they reach, and no documentation."""
    kept = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    waiting = list(_shape_names(kept))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting += _shape_names(shapes[name])
    result: dict[str, Any] = _undocumented({**model, "operations": kept, "shapes": shapes})
    for parameter in result.get("clientContextParams", {}).values():
        parameter["documentation"] = ""  # botocore reads it
    return result


def _shape_names(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _shape_names(inner)


def _undocumented(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: _undocumented(value)
            for key, value in part.items()
            if not (key.startswith("documentation") and isinstance(value, str))
        }
    return [_undocumented(inner) for inner in part] if isinstance(part, list) else part


def _write_json(file: Path, content: Any) -> None:
    write(file, json.dumps(content, separators=(",", ":")).encode())
