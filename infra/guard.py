"""The guard of security: what cdk-nag finds in an environment is mended, or suppressed beside its resource.

`python -m infra.guard FOLDER` synthesizes the environment that ships into the folder, as `python -m infra.app` does,
and beside it one with all options. It fails where either has a finding, or a suppression of what is no longer found.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import App
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.app import application
from infra.constructs.suppressing import Suppression, suppressions
from infra.names import LOCAL_ENVIRONMENT
from infra.package import build_zips
from infra.settings.environment import EVERYTHING, file_of, read_settings

PACKS = (AwsSolutionsChecks, ServerlessChecks)


@dataclass(frozen=True)
class Finding:
    """What a rule finds at the path `resource`. A rule that finds several things there names it in brackets."""

    rule: str
    resource: str
    what: str

    def is_suppressed_by(self, suppression: Suppression) -> bool:
        """Whether that suppression is about it."""
        rule, _, named = self.rule.partition("[")
        return (
            rule == suppression.rule
            and f"{self.resource}/".startswith(f"{suppression.construct}/")
            and named.removesuffix("]").endswith(suppression.ending)
        )


def findings(app: App) -> Iterator[Finding]:
    """All that cdk-nag finds in an app that is synthesized, suppressed or not."""
    for pack in PACKS:
        for violation in pack().validate_scope(app).violations:
            for resource in violation.violating_resources:
                yield Finding(violation.rule_name, resource.construct_path or "", violation.description or "")


def problems(found: Iterable[Finding], suppressed: Iterable[Suppression]) -> Iterator[str]:
    """What is found and not suppressed, and what is suppressed and not found, each with what to do. Pure."""
    found, suppressed = list(found), list(suppressed)
    for finding in found:
        if not any(map(finding.is_suppressed_by, suppressed)):
            yield (
                f"{finding.rule} at {finding.resource}: {finding.what} Mend it, or say why it is right where the "
                "resource is made, with `suppress` of infra/constructs/suppressing.py."
            )
    for suppression in suppressed:
        if not any(finding.is_suppressed_by(suppression) for finding in found):
            ending = f" that ends with {suppression.ending}" if suppression.ending else ""
            yield (
                f"{suppression.rule} is suppressed at {suppression.construct}, and finds nothing there{ending}: remove "
                "that suppression."
            )


def main() -> None:
    """Synthesize into the folder that is named, and beside it; end with the problems, if there are any."""
    folder, packages, wrong = Path(sys.argv[1]), build_zips("aws"), []
    for settings, outdir in (
        (file_of(LOCAL_ENVIRONMENT), folder),
        (EVERYTHING, folder.with_name(f"{folder.name}.everything")),
    ):
        app = application(packages, LOCAL_ENVIRONMENT, read_settings(settings), outdir)
        app.synth()
        wrong += [f"{settings.name}: {each}" for each in problems(findings(app), suppressions(app))]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
