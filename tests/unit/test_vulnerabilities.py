"""Asking for known vulnerabilities: an answer about every library, or a word that there is none."""

import json
import os
import subprocess
import sys

import pytest

from infra.package import bill_of, build_zips
from infra.package.files import ROOT
from infra.package.vulnerabilities import NONE_KNOWN, NOT_ANSWERED, SOME_KNOWN, answer, named_in

LIBRARIES = ["good==1.0", "bad==2.0"]
GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1", "3.0"]}]}
UNFIXED = {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
SKIPPED = {"name": "bad", "skip_reason": "Dependency not found on PyPI and could not be audited: bad (2.0)"}


def report(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_none_is_known_where_every_library_was_asked_about() -> None:
    found = answer(LIBRARIES, report(GOOD, {**BAD, "vulns": []}), "")
    assert (found.vulnerabilities, found.unanswered, found.status) == ((), (), NONE_KNOWN)


@pytest.mark.parametrize(
    ("library", "line"),
    [(BAD, "bad 2.0: CVE-1, fixed in 2.1 or 3.0"), (UNFIXED, "bad 2.0: CVE-2, fixed in no version yet")],
)
def test_a_known_one_is_named_with_its_fix(library: object, line: str) -> None:
    found = answer(LIBRARIES, report(GOOD, library), "Found 1 known vulnerability in 1 package")
    assert (found.vulnerabilities, found.status) == ((line,), SOME_KNOWN)


def test_an_index_that_knows_nothing_of_a_library_is_no_good_news() -> None:
    found = answer(LIBRARIES, report(GOOD, SKIPPED), "No known vulnerabilities found")
    assert (found.unanswered, found.status) == (("bad",), NOT_ANSWERED)


def test_without_a_report_the_last_complaint_says_why() -> None:
    found = answer(LIBRARIES, "", "Traceback:\n  a line\nConnectionError: no route to host\n")
    assert (found.unanswered, found.reason, found.status) == (
        tuple(LIBRARIES),
        "ConnectionError: no route to host",
        NOT_ANSWERED,
    )


def test_both_bills_are_asked_about_once() -> None:
    bills = [bill_of(built.layer) for built in build_zips("aws").values()]
    names = [requirement.partition("==")[0] for requirement in named_in(bills)]
    assert {"pyjwt", "urllib3", "pydantic"} < set(names)
    assert len(names) == len(set(names))


def test_an_index_out_of_reach_is_told_in_a_line_and_by_the_exit_status() -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-m", "infra.package.vulnerabilities"],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_PROXY": "", "no_proxy": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (NOT_ANSWERED, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("could not ask for vulnerabilities of ")
