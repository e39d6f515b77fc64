"""How fast a file is imported on this machine, and how much memory the largest takes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from handlers.files.dropped_file import DroppedFile, FileVersion
from handlers.files.importer import FileImporter, Outcome
from handlers.files.submitting import Markers, OrderQueue
from handlers.intake.parties import Parties
from infra.local.pipeline import Pipeline
from tests.bench.pausing import pause

ROWS_PER_ORDER = 20
_ROWS = 100_000
_SECONDS = 600
_KEY = "incoming/demo/uci/bench.csv"
_PARTIES = Parties(shops=("demo",), sources={}, clients={}, claims={}, folders={"demo": "demo"})
_HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
_ROW = "{},{},WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"


def measure(pipeline: Pipeline) -> dict[str, float]:
    """``import_rows_per_s`` of a CSV file of 100,000 rows, and ``import_peak_mb.*`` by how many rows a file has.

    An order has 20 rows, as real ones do. The rate is that of the deployed function, from the file's being dropped to
    its report: reading, deciding, order intake's queue, markers and checkpoints. Nobody takes the orders from the queue
    meanwhile. The peaks are the resident memory of a process that imports a file from stubs of S3, SQS and DynamoDB,
    interpreter and libraries included.
    """
    peaks = {f"import_peak_mb.{rows}": _peak_mb(rows) for rows in (10_000, 1_000_000)}
    return {"import_rows_per_s": _ROWS / _seconds(pipeline), **peaks}


def _seconds(pipeline: Pipeline) -> float:
    pause(pipeline, "order_intake")
    s3 = pipeline.client("s3")
    bucket = pipeline.outputs["FilesBucketName"]
    content = "".join(rows(_ROWS)).encode()
    started = time.monotonic()
    s3.put_object(Bucket=bucket, Key=_KEY, Body=content)
    while not s3.list_objects_v2(Bucket=bucket, Prefix="done/").get("Contents"):
        if time.monotonic() - started > _SECONDS:
            raise RuntimeError("the file was not imported")
        time.sleep(0.05)
    return time.monotonic() - started


def rows(count: int) -> Iterator[str]:
    """The lines of a file of so many rows, its header first."""
    yield _HEADER
    for number in range(count):
        yield _ROW.format(number // ROWS_PER_ORDER, number % ROWS_PER_ORDER)


def _peak_mb(count: int) -> float:
    command = [sys.executable, "-m", "tests.bench.file_import", str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


class _Aws:
    """What stands for S3, SQS and DynamoDB: a file that is made while it is read, and takers of everything else."""

    def __init__(self, count: int) -> None:
        self._lines = rows(count)

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Key.startswith("checkpoints/"):
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": self}

    def read(self, size: int) -> bytes:
        return "".join(islice(self._lines, size // len(_ROW))).encode()

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": {}}

    def batch_write_item(self, **_: Any) -> dict[str, Any]:
        return {"UnprocessedItems": {}}

    def __getattr__(self, operation: str) -> Any:
        return lambda **_: {}


def _import(count: int) -> None:
    aws: Any = _Aws(count)
    version = FileVersion("bucket", _KEY, "1")
    markers = Markers(aws, "orders", version.import_id)
    importer = FileImporter(DroppedFile(aws, version), markers, OrderQueue(aws, "queue"), _PARTIES)
    if importer.work(lambda: 60_000) is not Outcome.FINISHED:
        raise RuntimeError("the file was not imported")


if __name__ == "__main__":
    _import(int(sys.argv[1]))
    # Not getrusage: its peak is at least that of the process this one was forked from.
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(int(peak.split()[1]) / 1024)
