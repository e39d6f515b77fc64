"""The contract as JSON Schemas: one committed file per event and schema version, generated from the models.

``python -m events.schema_registry`` writes them; ``--check`` reports whether they are up to date and older events are
still readable.
A version's file stays for good: it says what the log may hold. It may only ever widen; for any other change raise the
model's ``schema_version`` and add an upcaster.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from events import upcasting
from events.catalog import DOMAIN_EVENTS
from events.compatibility import breaks
from events.envelope import Metadata
from events.integration import INTEGRATION_EVENTS
from events.model import DomainEvent, Model

FOLDER = Path(__file__).parent / "schemas"

CONTRACT: Mapping[str, type[Model]] = {**DOMAIN_EVENTS, **INTEGRATION_EVENTS, "Metadata": Metadata}
"""Everything that has a schema: the events, and the envelope's metadata."""


class Schemas:
    """The committed schemas of a contract.

    Args:
        folder: where their files are: ``<name>.v<schema version>.json``.
        contract: the models by name.
    """

    def __init__(self, folder: Path = FOLDER, contract: Mapping[str, type[Model]] = CONTRACT) -> None:
        self._folder = folder
        self._contract = contract

    def write(self) -> None:
        """Write the schemas of today's models. Does nothing unless :meth:`broken` is empty."""
        self._folder.mkdir(exist_ok=True)
        for name, model in self._contract.items():
            self._file(name, version_of(model)).write_text(_text(name, model), encoding="utf-8")

    def outdated(self) -> Iterator[str]:
        """Files that are not what the models say."""
        for name, model in self._contract.items():
            file = self._file(name, version_of(model))
            if not file.exists():
                yield f"{file.name} is missing"
            elif file.read_text(encoding="utf-8") != _text(name, model):
                yield f"{file.name} differs from the model"

    def broken(self) -> Iterator[str]:
        """What today's models cannot read any more of what committed schemas allow."""
        for name, version, schema in self.committed():
            model = self._contract.get(name)
            if model is None:
                yield f"{name}: removed, but the log may hold it"
            elif version == version_of(model):
                for change in breaks(schema, model.model_json_schema()):
                    yield f"{name}: {change} (raise its schema_version and add an upcaster)"
            elif version > version_of(model):
                yield f"{name}: schema version {version} is committed, the model says {version_of(model)}"
            elif (name, version) not in upcasting.UPCASTERS:
                yield f"{name}: no upcaster from schema version {version} to {version + 1}"

    def committed(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Name, schema version and schema of each committed file."""
        for file in sorted(self._folder.glob("*.json")):
            name, _, version = file.stem.rpartition(".v")
            yield name, int(version), json.loads(file.read_text(encoding="utf-8"))

    def _file(self, name: str, version: int) -> Path:
        return self._folder / f"{name}.v{version}.json"


def version_of(model: type[Model]) -> int:
    """A model's schema version. Integration events and metadata have one only: they may widen, and nothing else."""
    return model.schema_version if issubclass(model, DomainEvent) else 1


def _text(name: str, model: type[Model]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.v{version_of(model)}.json",
        **model.model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None, schemas: Schemas | None = None) -> int:
    """The command; returns its exit status, 1 where something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m events.schema_registry", description="Write the contract's JSON Schemas."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where files or models are wrong")
    check = parser.parse_args(arguments).check
    schemas = schemas or Schemas()
    wrong = list(schemas.broken())
    if check:
        wrong += [f"{outdated}: run python -m events.schema_registry" for outdated in schemas.outdated()]
    for each in wrong:
        print(each, file=sys.stderr)
    if not check and not wrong:
        schemas.write()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
