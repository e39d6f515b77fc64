"""Bills of materials: what is in the layers, all of it and nothing else, for those who check versions and licences."""

import json
import tomllib
import zipfile
from collections.abc import Mapping
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom

from infra.package import PACKAGES, Built, Package, Target, bill_of, build, build_zips
from infra.package.bill_of_materials import bill_of_materials
from infra.package.files import ROOT

# In one process: only one builds at a time, and the other would wait for it.
pytestmark = pytest.mark.xdist_group("layers")

TARGETS: tuple[Target, ...] = ("aws", "local")

Bill = dict[str, Any]


@pytest.fixture(scope="module", params=[(target, package) for target in TARGETS for package in PACKAGES], ids="-".join)
def built(request: pytest.FixtureRequest) -> Built:
    target, package = request.param
    return build_zips(target)[package]


@pytest.fixture
def bill(built: Built) -> Bill:
    """The bill beside a layer."""
    content: Bill = json.loads(bill_of(built.layer).read_text())
    return content


def shipped(layer: Path) -> dict[str, str]:
    """The libraries in a layer, by their metadata: versions by name."""
    with zipfile.ZipFile(layer) as archive:
        found = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = [message_from_string(archive.read(name).decode()) for name in found]
    return {each["Name"].lower().replace("_", "-"): each["Version"] for each in metadata}


def locked() -> Mapping[str, Any]:
    """Packages by name and version, as locked."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {f"{each['name']}=={each.get('version')}": each for each in packages}


def test_every_library_in_the_layer_is_in_the_bill_and_nothing_else(built: Built, bill: Bill) -> None:
    libraries = shipped(built.layer)
    assert libraries
    assert {each["name"]: each["version"] for each in bill["components"]} == libraries
    assert {each["purl"] for each in bill["components"]} == {f"pkg:pypi/{name}@{libraries[name]}" for name in libraries}


def test_a_library_has_its_licence_and_the_hash_of_the_wheel_that_is_locked(bill: Bill) -> None:
    wheels = locked()
    for each in bill["components"]:
        assert each["licenses"], each["name"]
        [hashed] = each["hashes"]
        assert hashed["alg"] == "SHA-256"
        assert f"sha256:{hashed['content']}" in [
            wheel["hash"] for wheel in wheels[f"{each['name']}=={each['version']}"]["wheels"]
        ]


def test_what_is_compiled_has_the_hash_of_the_wheel_for_the_functions_machine() -> None:
    components = json.loads(bill_of(build_zips("aws")["main"].layer).read_text())["components"]
    [compiled] = [each for each in components if each["name"] == "pydantic-core"]
    [hashed] = compiled["hashes"]
    wheels = locked()[f"pydantic-core=={compiled['version']}"]["wheels"]
    [url] = [wheel["url"] for wheel in wheels if wheel["hash"] == f"sha256:{hashed['content']}"]
    assert "aarch64" in url


def test_it_is_cyclonedx_and_says_what_requires_what(bill: Bill) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    read = Bom.from_json(bill)  # type: ignore[attr-defined]
    assert len(read.components) == len(bill["components"])
    required = {each["ref"].partition("@")[0]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert any(each.startswith("pkg:pypi/pydantic-core@") for each in required["pkg:pypi/pydantic"])
    assert len(required[bill["metadata"]["component"]["bom-ref"]]) == len(bill["components"])


@pytest.mark.parametrize("package", PACKAGES)
def test_the_same_libraries_make_the_same_bill_at_any_time(package: Package) -> None:
    made = bill_of_materials(package, build("local")[package].layer / "python")
    assert made == bill_of(build_zips("local")[package].layer).read_text()
    assert "timestamp" not in made


@pytest.mark.parametrize(
    ("stated", "licences"),
    [
        ("License-Expression: Apache-2.0 OR MIT", [{"expression": "Apache-2.0 OR MIT"}]),
        ("License-Expression: MIT\nClassifier: License :: OSI Approved :: MIT License", [{"license": {"id": "MIT"}}]),
        ("License: Dual\nClassifier: License :: OSI Approved :: BSD License", [{"license": {"name": "BSD License"}}]),
        ("License: Our own", [{"license": {"name": "Our own"}}]),
        ("Summary: Says nothing of it.", None),
    ],
)
def test_a_licence_is_named_as_spdx_does_or_else_as_it_is_stated(stated: str, licences: Any, tmp_path: Path) -> None:
    metadata = tmp_path / "library-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.4\nName: library\nVersion: 1.0\n{stated}\n")
    [component] = json.loads(bill_of_materials("main", tmp_path))["components"]
    assert component.get("licenses") == licences
    assert "hashes" not in component
