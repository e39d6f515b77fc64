"""The assembly for one machine: made again when something that goes into it has changed, and only then."""

from pathlib import Path

import pytest

from infra.local import assembly as assemblies
from infra.local.assembly import assembly
from infra.local.deploy import DeploymentError

# Stands in for CDK: the template is what a stack's module says.
SYNTHESIZE = """
import pathlib, sys
folder = pathlib.Path(sys.argv[3])
folder.mkdir()
(folder / "template").write_text(pathlib.Path("infra/stacks/data.py").read_text())
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in ("infra/stacks/data.py", "handlers/files/profiles/uci.toml", "statemachines/saga.json", "uv.lock"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("1")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(assemblies, "ROOT", tmp_path)
    monkeypatch.setattr(assemblies, "BUILD", tmp_path / "build")
    monkeypatch.setattr(assemblies, "SYNTHESIZE", SYNTHESIZE)
    return tmp_path


def made() -> int:
    """When the template was made."""
    with assembly() as folder:
        return (folder / "template").stat().st_mtime_ns


def test_it_is_made_once(root: Path) -> None:
    assert made() == made()


@pytest.mark.parametrize(
    "path", ["infra/stacks/data.py", "handlers/files/profiles/uci.toml", "statemachines/saga.json"]
)
def test_it_is_made_again_when_a_source_changes(root: Path, path: str) -> None:
    before = made()
    (root / path).write_text("2")
    assert made() != before


def test_it_is_made_again_when_a_source_comes_or_a_library_changes(root: Path) -> None:
    before = made()
    (root / "handlers" / "new.py").touch()
    with_another = made()
    (root / "uv.lock").write_text("2")
    assert len({before, with_another, made()}) == 3


def test_one_that_failed_is_told_and_made_again(root: Path) -> None:
    (root / "infra" / "stacks" / "data.py").rename(root / "away")
    for _ in range(2):
        with pytest.raises(DeploymentError, match=r"cannot synthesize:[^$]*data\.py"), assembly():
            pass
    (root / "away").rename(root / "infra" / "stacks" / "data.py")
    with assembly() as folder:
        assert (folder / "template").read_text() == "1"
