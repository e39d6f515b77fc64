"""`python -m infra.package.vulnerabilities` asks which vulnerabilities of the libraries in the layers are known.

Which libraries these are, the bills of materials say; pip-audit asks the package index about each. The exit status is 0
where no vulnerability is known, 1 where one is, and 3 where the index could not be asked about every library: it cannot
be reached, or does not answer such questions.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.package import PackageError, bill_of, build_zips

NONE_KNOWN, SOME_KNOWN, NOT_ANSWERED = 0, 1, 3


@dataclass(frozen=True)
class Answer:
    """What the index said: a line for each vulnerability, and the libraries that it said nothing about, and why."""

    vulnerabilities: tuple[str, ...]
    unanswered: tuple[str, ...]
    reason: str = "the package index does not answer questions about vulnerabilities"

    @property
    def status(self) -> int:
        """The exit status."""
        if self.vulnerabilities:
            return SOME_KNOWN
        return NOT_ANSWERED if self.unanswered else NONE_KNOWN


def named_in(bills: Iterable[Path]) -> list[str]:
    """The libraries in these bills of materials, each as a requirement: `urllib3==2.8.0`."""
    components = [each for bill in bills for each in json.loads(bill.read_text(encoding="utf-8"))["components"]]
    return sorted({f"{each['name']}=={each['version']}" for each in components})


def ask(libraries: list[str]) -> Answer:
    """Ask the package index about libraries, given as `named_in` gives them."""
    with TemporaryDirectory() as scratch:
        requirements = Path(scratch, "requirements.txt")
        requirements.write_text("\n".join(libraries), encoding="utf-8")
        # A cache of its own, so that no answer is an old one.
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--cache-dir", scratch]
        done = subprocess.run(  # noqa: S603 - no outside input
            [sys.executable, "-m", "pip_audit", "--format", "json", *options, "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            check=False,
        )
    return answer(libraries, done.stdout, done.stderr)


def answer(libraries: list[str], report: str, complaints: str) -> Answer:
    """What pip-audit's report comes to; without one, its last complaint is why."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except ValueError:
        return Answer((), tuple(libraries), reason=complaints.strip().rpartition("\n")[2])
    return Answer(
        tuple(
            f"{each['name']} {each['version']}: {vulnerability['id']}, "
            f"fixed in {' or '.join(vulnerability['fix_versions']) or 'no version yet'}"
            for each in dependencies
            for vulnerability in each.get("vulns", ())
        ),
        tuple(each["name"] for each in dependencies if "skip_reason" in each),
    )


def main() -> int:
    """Build the packages for AWS, ask, print what was answered; returns the exit status."""
    try:
        libraries = named_in(bill_of(built.layer) for built in build_zips("aws").values())
    except PackageError as problem:
        sys.exit(str(problem))
    answered = ask(libraries)
    for line in answered.vulnerabilities:
        print(line)
    if answered.unanswered:
        asked = f"{len(answered.unanswered)} of the {len(libraries)} libraries in the layers"
        print(f"could not ask for vulnerabilities of {asked}: {answered.reason}", file=sys.stderr)
    elif not answered.vulnerabilities:
        print(f"no vulnerability of the {len(libraries)} libraries in the layers is known")
    return answered.status


if __name__ == "__main__":
    sys.exit(main())
