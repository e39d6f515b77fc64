"""The template for one machine: functions and layers are those for AWS."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.local.transform import for_emulator, zips

FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Runtime": "python3.13",
        "Code": {"S3Bucket": "on-aws", "S3Key": "code.zip"},
        "Layers": [{"Ref": "Libraries"}],
        "Environment": {"Variables": {}},
    },
}
LAYER = {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Bucket": "on-aws", "S3Key": "layer.zip"}}}
TEMPLATE: dict[str, Any] = {
    "Parameters": {"BootstrapVersion": {}},
    "Rules": {"CheckBootstrapVersion": {}},
    "Resources": {"Function": FUNCTION, "Libraries": LAYER},
}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    contents = {"code": ("handlers/one.py", "handler = 1"), "layer": ("python/library.pyc", "bytecode")}
    for name, (path, content) in contents.items():
        with zipfile.ZipFile(tmp_path / f"asset.{name}.zip", "w") as archive:
            archive.writestr(path, content)
    assets = {
        name: {
            "source": {"path": f"asset.{name}.zip", "packaging": "file"},
            "destinations": {"current": {"objectKey": f"{name}.zip"}},
        }
        for name in contents
    }
    (tmp_path / "Stack.assets.json").write_text(json.dumps({"files": assets}))
    return tmp_path


def test_functions_and_layers_are_those_for_aws(assembly: Path) -> None:
    made = dict(zips(assembly, "Stack", TEMPLATE))
    assert set(made) == {"code.zip", "layer.zip"}
    assert made["layer.zip"] == (assembly / "asset.layer.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(made["code.zip"])) as function:
        assert function.read("handlers/one.py") == b"handler = 1"
        assert set(function.namelist()) == {"handlers/one.py", "bootstrap"}


def test_functions_and_layers_come_from_the_local_bucket() -> None:
    local = for_emulator(TEMPLATE, "stack", "local", "http://127.0.0.1:4566")["Resources"]
    assert local["Libraries"]["Properties"]["Content"] == {"S3Bucket": "local", "S3Key": "layer.zip"}
    function = local["Function"]["Properties"]
    assert function["Code"] == {"S3Bucket": "local", "S3Key": "code.zip"}
    assert function["Layers"] == [{"Ref": "Libraries"}]
