"""How long a deployment into the emulator takes, once everything is synthesized."""

import json
import time

from infra.local.assembly import assembly
from infra.local.deploy import deploy
from infra.local.emulator.process import emulator
from infra.names import LOCAL_ENVIRONMENT


def measure() -> dict[str, float]:
    """``deploy_s``: both stacks, from an empty emulator to the last call that sets something up."""
    with assembly() as folder, emulator() as running:
        began = time.perf_counter()
        deploy(running, folder, LOCAL_ENVIRONMENT)
        return {"deploy_s": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
