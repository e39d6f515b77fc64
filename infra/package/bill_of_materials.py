"""The bill of materials of a layer, in CycloneDX: which libraries are in it, for whoever checks versions and licences.

It is made from the metadata that ships in the layer. The hash of a library is that of its wheel, which `uv.lock` pins.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageMetadata, distributions, version
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from infra.package.files import ROOT

_PROJECT = "order-pipeline"
_LICENCE = "License :: OSI Approved :: "

Wheels = Mapping[tuple[str, str, frozenset[Tag]], str]
"""The hash of each wheel, by name, version and what it runs on."""


def bill_of_materials(package: str, libraries: Path) -> str:
    """CycloneDX 1.6 as JSON about a package's libraries, in the folder `libraries`: the same for the same libraries."""
    here: dict[str, Distribution] = {
        canonicalize_name(found.name): found for found in distributions(path=[str(libraries)])
    }
    wheels = _locked_wheels()
    components: dict[str, Component] = {name: _component(found, wheels) for name, found in sorted(here.items())}
    layer = Component(
        type=ComponentType.APPLICATION,
        name=f"{_PROJECT}-{package}-libraries",
        version=version(_PROJECT),
        bom_ref=f"{_PROJECT}-{package}-libraries",
    )
    bill = Bom(metadata=BomMetaData(component=layer), components=components.values())
    bill.serial_number = uuid5(NAMESPACE_URL, "\n".join([layer.name, *map(_identity, components.values())]))
    bill.register_dependency(layer, components.values())
    for name, found in here.items():
        bill.register_dependency(components[name], [components[each] for each in _required(found, here)])
    content = json.loads(JsonV1Dot6(bill).output_as_string())
    del content["metadata"]["timestamp"]
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _component(found: Distribution, wheels: Wheels) -> Component:
    name = canonicalize_name(found.name)
    url = PackageURL("pypi", name=name, version=found.version)
    wheel = wheels.get((name, found.version, _tags(found)))
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=found.version,
        purl=url,
        bom_ref=str(url),
        licenses=_licences(found.metadata),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel)] if wheel else [],
    )


def _identity(component: Component) -> str:
    return " ".join([str(component.purl), *(each.content for each in component.hashes)])


def _licences(metadata: PackageMetadata) -> list[License]:
    """What the metadata says by SPDX's names, or else by those of the package index, or else in its own words."""
    stated = metadata.get_all("License-Expression") or metadata.get_all("License") or ()
    classified = [each.removeprefix(_LICENCE) for each in metadata.get_all("Classifier") or () if _LICENCE in each]
    made = list(map(LicenseFactory().make_from_string, stated))
    in_spdx = [each for each in made if isinstance(each, LicenseExpression) or each.id]
    return in_spdx or [DisjunctiveLicense(name=each) for each in classified] or made


def _required(found: Distribution, here: Iterable[str]) -> list[str]:
    """Which of the libraries that are here another one requires. Those of its extras, the layer itself requires."""
    required = [Requirement(each) for each in found.requires or ()]
    always = {
        canonicalize_name(each.name) for each in required if not each.marker or each.marker.evaluate({"extra": ""})
    }
    return sorted(always & set(here))


def _tags(found: Distribution) -> frozenset[Tag]:
    lines = (found.read_text("WHEEL") or "").splitlines()
    return frozenset(tag for line in lines if line.startswith("Tag: ") for tag in parse_tag(line[len("Tag: ") :]))


def _locked_wheels() -> Wheels:
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    wheels: dict[tuple[str, str, frozenset[Tag]], str] = {}
    for wheel in (wheel for package in locked for wheel in package.get("wheels", ())):
        name, number, _, tags = parse_wheel_filename(wheel["url"].rpartition("/")[2])
        wheels[name, str(number), tags] = wheel["hash"].removeprefix("sha256:")
    return wheels
