"""The workflows of delivery: what they run can be run on a laptop, by actions and tools of one version each."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CDK_CLI = ROOT / "infra" / "cdk_cli"
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def values(workflow: Path, key: str) -> list[str]:
    """What stands behind a key on its line, with the comment."""
    return re.findall(rf"^ +(?:- )?{key}: (.+)$", workflow.read_text(), re.MULTILINE)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_say_their_version(workflow: Path) -> None:
    for action in values(workflow, "uses"):
        assert PINNED.fullmatch(action) or action.startswith("./.github/workflows/"), action


def test_every_workflow_uses_the_same_commit_of_an_action() -> None:
    used = {action for workflow in WORKFLOWS for action in values(workflow, "uses")}
    assert len({action.partition("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_steps_are_targets_of_make(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    # What is said to GitHub alone, as a comment on a pull request, is a script of several lines.
    for command in values(workflow, "run"):
        if command == "|":
            continue
        called, *arguments = command.split()
        assert called == "make"
        assert next(each for each in arguments if not each.startswith("-")) in targets


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_has_the_permissions_that_it_names_and_no_stored_keys(workflow: Path) -> None:
    text = workflow.read_text()
    assert "\npermissions: {}\n" in text
    assert "secrets." not in text


def test_the_cdk_command_line_has_one_version_and_its_lock_file_names_no_registry_but_npms() -> None:
    wanted = json.loads((CDK_CLI / "package.json").read_text())["dependencies"]["aws-cdk"]
    locked = json.loads((CDK_CLI / "package-lock.json").read_text())["packages"]
    assert locked["node_modules/aws-cdk"]["version"] == wanted
    for name, package in locked.items():
        if name:
            assert package["integrity"].startswith("sha512-")
            assert package.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/")
