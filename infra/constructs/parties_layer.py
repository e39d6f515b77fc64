"""Who is let in, as a file in a layer of its own: settings change without an upload of code, and may be of any size."""

from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from handlers.intake.parties import Parties
from infra.package.files import write, write_zip

_FILE = "parties.json"


class PartiesLayer(lambda_.LayerVersion):
    """The layer with the file that the functions at the doors read."""

    def __init__(self, scope: Construct, parties: Parties) -> None:
        with TemporaryDirectory() as scratch:
            content, archive = Path(scratch, "content"), Path(scratch, "parties.zip")
            write(content / _FILE, parties.model_dump_json().encode())
            write_zip(content, archive)
            super().__init__(scope, "Parties", code=lambda_.Code.from_asset(str(archive)))

    def give_to(self, function: lambda_.Function) -> None:
        """Let a function know who is let in."""
        function.add_layers(self)
        function.add_environment("PARTIES_FILE", f"/opt/{_FILE}")
