"""How long a function takes to start, and how large its package is."""

import json
import os
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

from infra import bundle
from infra.functions import AUTHORIZER, FUNCTIONS

_ROUNDS = 10
_PROGRAM = """
import importlib, sys, time
sys.path.insert(0, sys.argv[1])
started = time.process_time()
importlib.import_module(sys.argv[2])
print((time.process_time() - started) * 1000)
"""
_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "TABLE_NAME": "orders",
    "ORDERS_BUS_NAME": "orders",
    "ORDERS_BUS_ARN": "arn:aws:events:eu-west-1:000000000000:event-bus/orders",
    "ARCHIVE_ARN": "arn:aws:events:eu-west-1:000000000000:archive/orders",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/000000000000/dead-letters",
    "EMAIL_SENDER": "orders@example.com",
    "JWT_ISSUER": "https://issuer.example.com",
    "JWT_AUDIENCE": "shop",
    "JWT_JWKS_URL": "https://issuer.example.com/keys",
    "POWERTOOLS_SERVICE_NAME": "bench",
    "POWERTOOLS_METRICS_NAMESPACE": "OrderPipeline",
}


def measure() -> dict[str, float]:
    """``init_ms.<function>`` and ``init_ms.boto3``, a cold import each in a fresh process; ``package_bytes`` too.

    A function is imported from its unpacked package, its clients created; boto3 from the ordinary installation. Each is
    the median of ten, taken in turns so that all meet the same machine, after one round that compiles everything. The
    milliseconds are the processor's: an import waits for nothing, and what else the machine does is not its time.
    """
    local = bundle.build_all("local")
    subjects = {
        function.key: (local[function.package], function.handler.rpartition(".")[0])
        for function in (*FUNCTIONS, AUTHORIZER)
    }
    subjects["boto3"] = (Path(sysconfig.get_path("purelib")), "boto3")
    with TemporaryDirectory() as bytecode:
        rounds = [
            {key: _import_ms(folder, module, bytecode) for key, (folder, module) in subjects.items()}
            for _ in range(1 + _ROUNDS)
        ]
    medians = {f"init_ms.{key}": statistics.median(taken[key] for taken in rounds[1:]) for key in subjects}
    functions, api = (bundle.zip_bundle("aws", package).stat().st_size for package in bundle.PACKAGES)
    return {**medians, "package_bytes": functions, "package_bytes.api": api}


def _import_ms(folder: Path, module: str, bytecode: str) -> float:
    """One import by an interpreter that sees the folder and the standard library alone."""
    interpreter = [sys.executable, "-I", "-S", "-X", f"pycache_prefix={bytecode}"]
    environment = {"PATH": os.environ["PATH"], **_ENVIRONMENT}
    done = subprocess.run(
        [*interpreter, "-c", _PROGRAM, folder, module], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
