"""The report of an acceptance: as JSON for programs, and as Markdown for people. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from tests.acceptance.check import Result, Verdict


@dataclass(frozen=True)
class Report:
    """What came of all checks, and of what they were made: where, when, and of which versions."""

    environment: str
    account: str
    region: str
    began_at: datetime
    seconds: float
    versions: Mapping[str, str]
    results: Sequence[Result]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(result.verdict is Verdict.FAILED for result in self.results)

    @property
    def summary(self) -> str:
        """How many checks came to what."""
        counted = Counter(result.verdict for result in self.results)
        return ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])

    def as_json(self) -> str:
        """The report for programs."""
        results = [{**asdict(each), "seconds": round(each.seconds, 1)} for each in self.results]
        head = {
            "environment": self.environment,
            "account": self.account,
            "region": self.region,
            "began_at": self.began_at.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "versions": dict(self.versions),
        }
        return json.dumps({**head, "results": results}, indent=2) + "\n"

    def as_markdown(self) -> str:
        """The report for people."""
        where = f"in account {self.account}, {self.region}, on {self.began_at:%Y-%m-%d %H:%M} UTC"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [
            f"# Acceptance of {self.environment}",
            "",
            f"{self.summary}; {where}, in {self.seconds / 60:.0f} minutes. {versions}.",
            "",
            "| check | result | s | evidence or reason |",
            "| --- | --- | ---: | --- |",
        ]
        for each in self.results:
            lines.append(f"| {each.name}: {each.proves} | {each.verdict} | {each.seconds:.0f} | {_cell(each.said)} |")
        return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A text that stays in its cell of a table."""
    return text.replace("|", "\\|")
