"""Adding a shop to the settings of an environment: the file keeps its comments and all that is in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from infra.settings.environment import InvalidSettings, read_settings


def add_shop(file: Path, name: str, *, sources: Sequence[str], clients: Sequence[str], folder: str | None) -> None:
    """Write the entry of a shop at the end of the file, if the settings are valid with it; otherwise nothing changes.

    Raises:
        InvalidSettings: they are not valid with it, or were not before; or there is such a shop.
    """
    if name in read_settings(file).shops:
        raise InvalidSettings(f"{file}: there is a shop {name} already")
    entry = {"sources": list(sources), "clients": list(clients), **({"folder": folder} if folder else {})}
    # A list of texts and a text are written alike in JSON and TOML.
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
    with NamedTemporaryFile("w", dir=file.parent, prefix=f"{file.stem}-", suffix=".toml", delete=False) as made:
        changed = Path(made.name)
        made.write(f"{file.read_text(encoding='utf-8').rstrip()}\n\n[shops.{name}]\n{lines}\n")
    try:
        read_settings(changed)
        changed.replace(file)
    except InvalidSettings as invalid:
        raise InvalidSettings(str(invalid).replace(str(changed), str(file))) from invalid
    finally:
        changed.unlink(missing_ok=True)
