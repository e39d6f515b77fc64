"""Adding a shop to the settings of an environment: the text keeps its comments and all that is in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from infra.settings.environment import InvalidSettings, parsed


def with_shop(text: str, name: str, *, sources: Sequence[str], clients: Sequence[str], folder: str | None) -> str:
    """The text of a settings file with the entry of another shop.

    Raises:
        InvalidSettings: the settings are not valid with it, or were not before; or there is such a shop.
    """
    if name in parsed(text).shops:
        raise InvalidSettings(f"there is a shop {name} already")
    entry = {"sources": list(sources), "clients": list(clients), **({"folder": folder} if folder else {})}
    # Texts and lists of texts are written alike in JSON and TOML.
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
    changed = f"{text.rstrip()}\n\n[shops.{json.dumps(name)}]\n{lines}\n"
    parsed(changed)
    return changed
