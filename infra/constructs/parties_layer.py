"""Who is let in, as a file in a layer of its own: settings change without an upload of code, and may be of any size."""

from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from handlers.intake.parties import Parties

_FILE = "parties.json"


class PartiesLayer(lambda_.LayerVersion):
    """The layer with the file that the functions at the doors read."""

    def __init__(self, scope: Construct, parties: Parties) -> None:
        with TemporaryDirectory() as folder:
            Path(folder, _FILE).write_text(parties.model_dump_json(), encoding="utf-8")
            super().__init__(scope, "Parties", code=lambda_.Code.from_asset(folder))

    def give_to(self, function: lambda_.Function) -> None:
        """Let a function know who is let in."""
        function.add_layers(self)
        function.add_environment("PARTIES_FILE", f"/opt/{_FILE}")
