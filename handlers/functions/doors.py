"""What the functions at the doors share: who is let in."""

from pathlib import Path

from handlers.functions.resources import setting
from handlers.intake.parties import Parties


def parties() -> Parties:
    """Everybody who is let in, from the file that is deployed with the functions at the doors."""
    return Parties.model_validate_json(Path(setting("PARTIES_FILE")).read_bytes())
