"""The template for one machine: its functions run from one package, with what AWS puts beside them as a layer."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.local.transform import for_emulator, packages

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
    contents = {"asset.code/handlers/one.py": "handler = 1", "asset.layer/python/library.pyc": "bytecode"}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(content)
    assets = {
        name: {
            "source": {"path": f"asset.{name}", "packaging": "zip"},
            "destinations": {"current": {"objectKey": f"{name}.zip"}},
        }
        for name in ("code", "layer")
    }
    (tmp_path / "Stack.assets.json").write_text(json.dumps({"files": assets}))
    return tmp_path


def test_a_layer_is_unpacked_where_aws_has_it(assembly: Path) -> None:
    made = packages(assembly, "Stack", TEMPLATE)
    assert set(made) == {"code.zip"}
    with zipfile.ZipFile(io.BytesIO(made["code.zip"])) as package:
        assert package.read("handlers/one.py") == b"handler = 1"
        assert package.read("opt/python/library.pyc") == b"bytecode"
        assert {"bootstrap", "local_runtime.py"} < set(package.namelist())


def test_no_layer_is_left_in_the_template() -> None:
    local = for_emulator(TEMPLATE, "local", "http://127.0.0.1:4566")
    assert set(local["Resources"]) == {"Function"}
    function = local["Resources"]["Function"]["Properties"]
    assert "Layers" not in function
    assert function["Code"] == {"S3Bucket": "local", "S3Key": "code.zip"}
