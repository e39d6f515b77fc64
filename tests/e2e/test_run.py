"""The commands, as users run them: what they print, how they end, and that they leave nothing behind."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.emulator.process import HOST, ROOT
from infra.local.pipeline import find
from tests.builders.commands import HEED_CTRL_C

SECONDS = 300
COMMAND = [sys.executable, "-c", f"{HEED_CTRL_C}import runpy; runpy.run_module('infra.local', run_name='__main__')"]

REAL_ORDERS = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,1,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
536540,gift 01,GIFT VOUCHER,1,2010-12-01 14:05:00,10.0,14911.0,EIRE
536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom
"""


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; what it puts into a temporary folder goes into ``folder``."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command, running; what it puts into a temporary folder goes into ``folder``."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def left_behind(folder: Path) -> list[str]:
    """The processes that were started with something in ``folder``, and what lies in it."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            processes.append(command)
    return processes + [str(path) for path in folder.glob("order-pipeline-*")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def test_real_orders_end_and_nothing_is_left(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text(REAL_ORDERS)
    done = run_command(tmp_path, "run", "--orders", str(orders))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    for line in (
        "5 submissions",
        "     3 confirmed",
        "     2 rejected",
        "           2 lines.n.quantity: Input should be greater than 0",
        "lines      7 submitted: 5 in orders placed, 2 in rejected, 0 in dead letters",
        "money      GBP 49.03 confirmed, GBP 49.03 in the gateway's books",
        *(f"invariant {number} holds" for number in (1, 2, 3, 5, 6)),
    ):
        assert line in done.stdout
    assert left_behind(tmp_path) == []


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "run") as running:
        assert running.stdout
        assert any("publishing" in line for line in running.stdout)
        assert left_behind(tmp_path) != []
        running.send_signal(signal.SIGINT)
        _, message = running.communicate(timeout=SECONDS)
    assert running.returncode == 130
    assert "Traceback" not in message
    assert left_behind(tmp_path) == []


def test_a_run_that_is_interrupted_again_and_again_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "run") as running:
        assert running.stdout
        assert any("publishing" in line for line in running.stdout)
        assert left_behind(tmp_path) != []
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(0.05)
        _, errors = running.communicate(timeout=SECONDS)
    assert (running.returncode, errors) == (130, "")
    assert left_behind(tmp_path) == []


def test_a_command_interrupted_while_its_modules_are_imported_prints_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "run") as running:
        while "pydantic_core" not in Path(f"/proc/{running.pid}/maps").read_text():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        printed, errors = running.communicate(timeout=SECONDS)
    assert (running.returncode, printed, errors) == (130, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "nowhere.csv"], "nowhere.csv: No such file or directory"),
        (["--orders", "short.csv"], "short.csv: no column UnitPrice, CustomerID, Country; it has InvoiceNo, "),
        (["--orders", "orders.csv", "--profile", "acme"], "there is no profile 'acme'; there is: uci"),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "orders.csv").write_text(REAL_ORDERS)
    (tmp_path / "short.csv").write_text("InvoiceNo,StockCode,Description,Quantity,InvoiceDate\n")
    arguments = [str(tmp_path / each) if each.endswith(".csv") else each for each in arguments]
    done = run_command(tmp_path, "run", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_up_stays_up_until_down(tmp_path: Path) -> None:
    if find() is not None:
        pytest.skip("a pipeline is up, and is not for a test to end")
    try:
        up = run_command(tmp_path, "up", "--port", str(free_port()))
        assert up.returncode == 0, up.stderr
        assert run_command(tmp_path, "up").stdout == up.stdout
        if shutil.which("aws"):
            _paste(up.stdout)
    finally:
        down = run_command(tmp_path, "down")
    assert (down.returncode, down.stdout) == (0, "ended\n")
    assert run_command(tmp_path, "down").stdout == "nothing was up\n"
    assert left_behind(tmp_path) == []


def _paste(lines: str) -> None:
    """Paste the lines into a shell, and ask for the view until the order has its outcome."""
    pasted, _, rest = lines.partition("# read its view")
    query = next(line for line in rest.splitlines() if "view#order#" in line)
    status = "--query 'Items[0].status.S' --output text"
    waiting = f"until {query} {status} | grep -qx CONFIRMED; do sleep 0.2; done"
    script = "\n".join(["set -e", pasted, waiting, "# read its view" + rest])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    for message in ("OrderPlaced", "OrderConfirmed", "AlreadyConfirmed", "ExecutionSucceeded"):
        assert message in done.stdout
