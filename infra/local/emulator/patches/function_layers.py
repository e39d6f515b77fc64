"""Layers of functions: the emulator gives them to functions of its own runtimes only, ours are `provided`."""

import os
from functools import cache
from typing import Any

from ministack.services import lambda_svc  # type: ignore[import-not-found]


def patch() -> None:
    """Unpack each layer version once, for all functions, and tell them where, as the emulator's own runtimes do."""
    environment = lambda_svc._provided_worker_env

    def with_layers(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        layers = [_unpacked(layer["Arn"]) for layer in config["Layers"]]
        return {**environment(config, code_dir, port), "_LAMBDA_LAYERS_DIRS": os.pathsep.join(layers)}

    lambda_svc._provided_worker_env = with_layers


@cache
def _unpacked(layer_version: str) -> str:
    folder: str = lambda_svc._docker_extracted_dir(lambda_svc._resolve_layer_zip(layer_version), "layer")
    return folder
