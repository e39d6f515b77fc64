"""The settings of an environment: who is let in, or a message that names each field that is wrong, and why.

A shop is added by a command, which leaves the rest as it is.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from typer.testing import Result

from events.integration import PUBLISHED_BY
from handlers.intake.parties import Parties, Party
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.settings.adding import with_shop
from infra.settings.environment import InvalidSettings, Settings, file_of, parsed, read_settings
from infra.settings.parties import ShopSettings
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.settings import PLACE

FULL = """
[shops.acme]
sources = ["com.acme.orders", "com.acme.web"]
clients = ["1example23456789"]
folder = "acme-files"

[shops.bloom]
claims = { org = "bloom", tier = "gold" }

[partners.main-warehouse]
role = "warehouse"
source = "com.example.warehouse"

[partners.parcels]
role = "carrier"
source = "com.example.parcels"
"""


PRIVATE = "network.private = true\nnetwork.availability_zones ="
ISSUER = "[api.issuer]\njwks_url = 'https://a.example/keys'\naudience = ['a']\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "production.toml"


def settings(file: Path, content: str) -> Settings:
    file.write_text(PLACE + content, encoding="utf-8")
    return read_settings(file)


def wrong(file: Path, content: str) -> list[str]:
    """What is wrong with these settings, after the name of their file."""
    with pytest.raises(InvalidSettings) as invalid:
        settings(file, content)
    at, _, reasons = str(invalid.value).partition(": ")
    assert at == str(file)
    return reasons.split("; ")


def test_the_parties_are_those_that_the_file_names(file: Path) -> None:
    assert settings(file, FULL).parties == Parties(
        shops=("acme", "bloom"),
        sources={
            "com.acme.orders": Party(name="acme", roles=("shop",)),
            "com.acme.web": Party(name="acme", roles=("shop",)),
            "com.example.warehouse": Party(name="main-warehouse", roles=("warehouse",)),
            "com.example.parcels": Party(name="parcels", roles=("carrier",)),
        },
        clients={"1example23456789": "acme"},
        claims={"bloom": {"org": "bloom", "tier": "gold"}},
        folders={"acme-files": "acme", "bloom": "bloom"},
    )


def test_the_parties_are_the_same_after_they_were_deployed(file: Path) -> None:
    parties = settings(file, FULL).parties
    assert Parties.model_validate_json(parties.model_dump_json()) == parties


def test_of_an_environment_for_trying_out_everybody_is_let_in() -> None:
    parties = read_settings(file_of("dev")).parties
    assert parties.shops == ("demo",)
    for source in ("com.example.web", "demo"):
        publisher = parties.publisher(source)
        assert publisher is not None
        assert publisher.name == "demo"
        assert set(publisher.roles) == set(PUBLISHED_BY.values())
    assert parties.shop_of_client("1example23456789") == "demo"
    assert parties.shop_of_folder("demo") == "demo"
    assert parties.shop_of_folder("elsewhere") is None


def test_where_nobody_takes_the_rest_strangers_are_nobody(file: Path) -> None:
    parties = settings(file, FULL).parties
    assert parties.publisher("com.example.elsewhere") is None
    assert parties.shop_of_client("elsewhere") is None
    assert parties.shop_of_folder("acme") is None, "its folder has another name"


def test_what_operators_submit_for_a_shop_is_of_that_shop_whatever_its_sources(file: Path) -> None:
    parties = settings(file, FULL.replace("com.acme.web", "pipeline.cli.bloom")).parties
    for shop in ("acme", "bloom"):
        assert parties.publisher(f"pipeline.cli.{shop}") == Party(name=shop, roles=("shop",))
    for nobody in ("pipeline.cli.", "pipeline.cli.parcels", "pipeline.cli.acme.web", "acme"):
        assert parties.publisher(nobody) is None


def test_a_source_for_all_gives_a_partner_its_own_role_alone(file: Path) -> None:
    anybody = '[shops.acme]\n[partners.depot]\nrole = "warehouse"\nsource = "*"\n'
    assert settings(file, anybody).parties.publisher("any") == Party(name="depot", roles=("warehouse",))


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"production\.toml: No such file or directory"):
        read_settings(file)


def test_what_is_no_toml_is_named_with_its_place(file: Path) -> None:
    [why] = wrong(file, "[shops.acme\n")
    assert "at line 5" in why


@pytest.mark.parametrize(
    ("content", "field", "why"),
    [
        ("", "shops", "Field required"),
        ("[shops]", "shops", "at least 1 item"),
        ("shops = 1", "shops", "valid dictionary"),
        ("[shops.ACME]", "shops.ACME.[key]", "String should match pattern '^[a-z0-9]{1,16}$'"),
        ("[shops.a-b]", "shops.a-b.[key]", "String should match pattern"),
        ("[shops.abcdefghijklmnopq]", "shops.abcdefghijklmnopq.[key]", "String should match pattern"),
        ("[shops.acme]\nsource = 'a'", "shops.acme.source", "Extra inputs are not permitted"),
        ("[shops.acme]\nsources = 'a'", "shops.acme.sources", "valid tuple"),
        ("[shops.acme]\nsources = ['a', 'com.acme *']", "shops.acme.sources.1", "String should match pattern"),
        ("[shops.acme]\nsources = ['']", "shops.acme.sources.0", "String should match pattern"),
        ("[shops.acme]\nclients = ['a b']", "shops.acme.clients.0", "String should match pattern"),
        ("[shops.acme]\nclients = [7]", "shops.acme.clients.0", "valid string"),
        ("[shops.acme]\nclaims = 'org'", "shops.acme.claims", "valid dictionary"),
        ("[shops.acme]\nclaims = { org = 7 }", "shops.acme.claims.org", "valid string"),
        ("[shops.acme]\nfolder = 'a/b'", "shops.acme.folder", "String should match pattern"),
        ("[shops.acme]\nfolder = '*'", "shops.acme.folder", "String should match pattern"),
        ("[shops.acme]\n[partners.P]\nrole = 'carrier'\nsource = 'a'", "partners.P.[key]", "String should match"),
        ("[shops.acme]\n[partners.p]\nrole = 'shop'\nsource = 'a'", "partners.p.role", "'warehouse' or 'carrier'"),
        ("[shops.acme]\n[partners.p]\nrole = 'carrier'", "partners.p.source", "Field required"),
        ("[shops.acme]\n[partners.p]\nsource = 'a'", "partners.p.role", "Field required"),
        ("[shops.acme]\n[partners.p]\nrole = 'carrier'\nsource = 'a b'", "partners.p.source", "String should match"),
        ("[shops.acme]\n[partner.p]", "partner", "Extra inputs are not permitted"),
        ("protected = 'maybe'\n[shops.acme]", "protected", "valid boolean"),
        (
            "email.identity = 'example.org'\n[shops.acme]",
            "email",
            "is neither example.org nor an address of that domain",
        ),
        (
            "email.sandbox_recipients = ['*.example']\n[shops.acme]",
            "email.sandbox_recipients.0",
            "String should match pattern",
        ),
        ("alarms.email = 'nobody'\n[shops.acme]", "alarms.email", "String should match pattern"),
        ("alarms.page_email = 'nobody'\n[shops.acme]", "alarms.page_email", "String should match pattern"),
        ("alarms.queue_minutes = 15\n[shops.acme]", "alarms.queue_minutes", "greater than or equal to 16"),
        ("alarms.outcome_minutes = 10\n[shops.acme]", "alarms.outcome_minutes", "is not above sweep.after_minutes, 10"),
        ("sweep.after_minutes = 5\n[shops.acme]", "sweep.after_minutes", "greater than or equal to 6"),
        ("logs.days = 31\n[shops.acme]", "logs.days", "Input should be 1, 3, 5"),
        ("api.plan.orders_per_second = 0\n[shops.acme]", "api.plan.orders_per_second", "greater than or equal to 1"),
        ("api.plan.requests_per_day = 200_000\n[shops.acme]", "api.plan", "300 a second are 1080000 in an hour"),
        ("api.plan.requests_per_day = 26_000_000\n[shops.acme]", "api.plan", "the quota would never be reached"),
        ("api.plans.bloom.orders_per_second = 9\n[shops.acme]", "api.plans.bloom", "there is no such shop"),
        ("backup.days = 35\n[shops.acme]", "backup", "says that no backup has the person after 35 days"),
        ("backup.days = 0\n[shops.acme]", "backup.days", "greater than or equal to 1"),
        ("network.private = true\n[shops.acme]", "network", "needs 2 or 3 different availability_zones"),
        (f"{PRIVATE} ['us-east-1a', 'us-east-1a']\n[shops.acme]", "network", "needs 2 or 3 different"),
        (f"{PRIVATE} ['us-east-1a', 'eu-west-1a']\n[shops.acme]", "network.availability_zones", "eu-west-1a is not in"),
        (f"{PRIVATE} ['1a', 'us-east-1b']\n[shops.acme]", "network.availability_zones.0", "String should match"),
        ("network.availability_zones = ['us-east-1a']\n[shops.acme]", "network", "private is not set"),
        (
            "[api.issuer]\nissuer = 'https://a.example'\naudience = ['a']\n[shops.acme]",
            "api.issuer.jwks_url",
            "Field required",
        ),
        (f"{ISSUER}issuer = 'http://a.example'\n[shops.acme]", "api.issuer.issuer", "String should match pattern"),
        (
            f"api.pool_authorizer = true\n{ISSUER}issuer = 'https://a.example'\n[shops.acme]",
            *("api", "the gateway's own authorizer does not know https://a.example"),
        ),
    ],
)
def test_a_field_that_is_wrong_is_named_with_the_reason(file: Path, content: str, field: str, why: str) -> None:
    [reason] = wrong(file, content)
    assert reason.startswith(f"{field}: ")
    assert why in reason


@pytest.mark.parametrize("content", ["", "account = '12345678901'\nregion = 'us-east-1'\nemail.sender = 'a@b.example'"])
def test_where_it_is_deployed_is_named_in_full(file: Path, content: str) -> None:
    file.write_text(f"{content}\n[shops.acme]")
    with pytest.raises(InvalidSettings, match="account: "):
        read_settings(file)


@pytest.mark.parametrize("name", ["", "Prod", "a-b", "1st", "../dev", "a" * 17])
def test_an_environment_has_a_name_that_fits_into_those_of_its_resources(name: str) -> None:
    with pytest.raises(InvalidSettings, match="is no environment: 1 to 16 of a-z and 0-9, a letter first"):
        file_of(name)


def test_every_field_that_is_wrong_is_named(file: Path) -> None:
    content = "[shops.acme]\nsources = ['a b', 'c']\nfolder = 'd e'\n[partners.p]\nrole = 'none'\nsource = 'f'"
    fields = [reason.partition(":")[0] for reason in wrong(file, content)]
    assert fields == ["shops.acme.sources.0", "shops.acme.folder", "partners.p.role"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[shops.a]\nsources = ['s']\n[shops.b]\nsources = ['s']", "the source 's' is claimed 2 times"),
        ("[shops.a]\nsources = ['*']\n[shops.b]\nsources = ['*']", "the source '*' is claimed 2 times"),
        (
            "[shops.a]\nsources = ['s']\n[partners.p]\nrole = 'carrier'\nsource = 's'",
            "the source 's' is claimed 2 times",
        ),
        (
            "[shops.a]\n[partners.p]\nrole = 'carrier'\nsource = 's'\n[partners.q]\nrole = 'warehouse'\nsource = 's'",
            "the source 's' is claimed 2 times",
        ),
        ("[shops.a]\nclients = ['c']\n[shops.b]\nclients = ['c']", "the client 'c' is claimed 2 times"),
        ("[shops.a]\nclients = ['*']\n[shops.b]\nclients = ['*']", "the client '*' is claimed 2 times"),
        ("[shops.a]\nfolder = 'f'\n[shops.b]\nfolder = 'f'", "the folder 'f' is claimed 2 times"),
        ("[shops.a]\n[shops.b]\nfolder = 'a'", "the folder 'a' is claimed 2 times"),
        ("[shops.a]\n[partners.a]\nrole = 'carrier'\nsource = 's'", "the name 'a' is claimed 2 times"),
        ("[shops.operators]", "the name 'operators' is claimed 2 times"),
    ],
)
def test_nothing_is_claimed_twice(file: Path, content: str, why: str) -> None:
    assert wrong(file, content) == [why]


def test_all_that_is_claimed_twice_is_named(file: Path) -> None:
    shop = "sources = ['s']\nclients = ['c']\nfolder = 'f'\n"
    assert wrong(file, "".join(f"[shops.{name}]\n{shop}" for name in "abc")) == [
        "the source 's' is claimed 3 times",
        "the client 'c' is claimed 3 times",
        "the folder 'f' is claimed 3 times",
    ]


# Adding a shop


def added(text: str, name: str, *, sources: Sequence[str] = (), folder: str | None = None, client: str = "") -> str:
    return with_shop(text, name, sources=sources, clients=[client] if client else (), folder=folder)


DEV = file_of("dev").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        DEV,
        *(
            PLACE + rest
            for rest in (FULL, "[shops.a]", "[shops.a]\n\n\n", "# é\n[shops.a]\nsources = [\n  's', # s\n]")
        ),
    ],
)
def test_a_shop_is_added_and_all_that_was_there_stays_as_it_is_written(text: str) -> None:
    changed = added(text, "zinc", sources=["com.zinc.web", "com.zinc/orders"], folder="zinc-files", client="1ex")
    assert changed.startswith(f"{text.rstrip()}\n\n")
    assert changed.endswith('"zinc-files"\n')
    zinc = ShopSettings(sources=("com.zinc.web", "com.zinc/orders"), clients=("1ex",), folder="zinc-files")
    before, after = parsed(text), parsed(changed)
    assert after == before.model_copy(update={"shops": {**before.shops, "zinc": zinc}})
    assert list(after.shops) == [*before.shops, "zinc"]


def test_a_shop_of_which_nothing_is_known_yet_has_the_folder_of_its_name() -> None:
    settings = parsed(added(DEV, "zinc"))
    assert settings.shops["zinc"] == ShopSettings()
    assert settings.parties.shop_of_folder("zinc") == "zinc"
    assert parsed(added(added(DEV, "zinc"), "7")).parties.shops == ("demo", "zinc", "7")


@pytest.mark.parametrize(
    ("text", "name", "more", "why"),
    [
        (DEV, "demo", {}, "there is a shop demo already"),
        (DEV, "Zinc", {}, "shops.Zinc.[key]: String should match pattern"),
        (DEV, "a.b", {}, "shops.a.b.[key]: String should match pattern"),
        (DEV, 'a"]\n[shops.evil', {}, "String should match pattern"),
        (DEV, "", {}, "String should match pattern"),
        (DEV, "zinc", {"sources": ["com.zinc web"]}, "shops.zinc.sources.0: String should match pattern"),
        (DEV, "zinc", {"sources": ["*"]}, "the source '*' is claimed 2 times"),
        (DEV, "zinc", {"sources": ["s", "s"]}, "the source 's' is claimed 2 times"),
        (DEV, "zinc", {"folder": "demo"}, "the folder 'demo' is claimed 2 times"),
        (DEV, "zinc", {"folder": 'a"\nclients = ["*"]'}, "shops.zinc.folder: String should match pattern"),
        (PLACE + FULL, "main-warehouse", {}, "String should match pattern"),
        (PLACE + FULL, "parcels", {}, "the name 'parcels' is claimed 2 times"),
        (PLACE, "zinc", {}, "shops: Field required"),
        ("[shops.acme\n", "zinc", {}, "at line 1"),
    ],
)
def test_a_shop_that_cannot_be_let_in_is_not_added(text: str, name: str, more: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        added(text, name, **more)
    assert why in str(refused.value)


# The command that adds one


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A file of settings like the one that ships."""
    file = tmp_path / "dev.toml"
    file.write_text(DEV, encoding="utf-8")
    return file


POOL, CLIENT, SECRET = "us-east-1_example", "1example23456789", "not for anybody's eyes at all"


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """What Cognito is expected to be asked for. Something is deployed."""
    client = Connection().client("cognito-idp")
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "UserPoolId": POOL})
    monkeypatch.setattr(Connection, "client", lambda _self, _service: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def expect_a_client(cognito: Stubber) -> None:
    """A client for the shop acme, which may do what shops may, and not operate."""
    wanted = {
        "UserPoolId": POOL,
        "ClientName": "acme",
        "GenerateSecret": True,
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": ["orders/read", "orders/write"],
        "PreventUserExistenceErrors": "ENABLED",
    }
    made = {"UserPoolClient": {"ClientId": CLIENT, "ClientSecret": SECRET}}
    cognito.add_response("create_user_pool_client", made, wanted)


def add(file: Path, name: str, *options: str) -> Result:
    return run_command("shop", "add", name, "--settings", str(file), *options)


def refusal(result: Result) -> str:
    """The one line that says what is wrong with what was asked for."""
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output
    return result.stderr.strip()


def test_a_shop_that_is_added_gets_a_client_of_its_own(dev: Path, cognito: Stubber) -> None:
    expect_a_client(cognito)
    result = add(dev, "acme", "--source", "com.acme.orders", "--source", "com.acme.web", "--folder", "acme-files")
    assert (result.exit_code, result.stdout) == (0, f"acme is in {dev}; the next deployment lets it in\n")
    assert read_settings(dev).shops["acme"] == ShopSettings(
        sources=("com.acme.orders", "com.acme.web"), clients=(CLIENT,), folder="acme-files"
    )
    assert dev.read_text(encoding="utf-8").startswith(DEV.rstrip())


def test_the_secret_of_a_client_is_not_shown_but_how_to_read_it(dev: Path, cognito: Stubber) -> None:
    expect_a_client(cognito)
    result = add(dev, "acme")
    assert SECRET not in result.output + dev.read_text(encoding="utf-8")
    what, _, ask = result.stderr.strip().partition(": ")
    assert what == "its secret"
    assert shlex.split(ask) == [
        *("aws", "cognito-idp", "describe-user-pool-client"),
        *("--user-pool-id", POOL, "--client-id", CLIENT),
    ]


def _nothing_deployed(_: Connection) -> NoReturn:
    raise CommandError("no environment is deployed")


def test_where_nothing_is_deployed_a_shop_is_added_without_a_client(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "outputs", property(_nothing_deployed))
    result = add(dev, "acme")
    assert (result.exit_code, result.stdout) == (0, f"acme is in {dev}; the next deployment lets it in\n")
    assert result.stderr.startswith("no client of the user pool was made (")
    assert result.stderr.endswith("); name one under `clients` in the settings\n")
    assert read_settings(dev).shops["acme"] == ShopSettings()


def test_where_nothing_answers_a_shop_is_added_without_a_client(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://here")

    monkeypatch.setattr(Connection, "outputs", {"UserPoolId": POOL})
    monkeypatch.setattr(Connection, "client", unreachable)
    result = add(dev, "acme")
    assert result.exit_code == 0
    assert 'Could not connect to the endpoint URL: "https://here"' in result.stderr
    assert read_settings(dev).shops["acme"] == ShopSettings()


def test_a_client_that_may_not_be_made_is_named_later(dev: Path, cognito: Stubber) -> None:
    cognito.add_client_error("create_user_pool_client", "NotAuthorizedException", "not you")
    result = add(dev, "acme")
    assert result.exit_code == 0
    assert "NotAuthorizedException" in result.stderr
    assert read_settings(dev).shops["acme"] == ShopSettings()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["demo"], "there is a shop demo already"),
        (["ACME"], "shops.ACME.[key]: String should match pattern"),
        (["acme", "--source", "*"], "the source '*' is claimed 2 times"),
        (["acme", "--folder", "demo"], "the folder 'demo' is claimed 2 times"),
    ],
)
def test_what_cannot_be_added_changes_nothing_and_makes_no_client(
    dev: Path, cognito: Stubber, arguments: list[str], why: str
) -> None:
    refused = refusal(add(dev, *arguments))
    assert refused.startswith(f"{dev}: ")
    assert why in refused
    assert dev.read_text(encoding="utf-8") == DEV


def test_settings_that_cannot_be_read_or_written_are_named(
    dev: Path, cognito: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = dev.with_name("missing.toml")
    assert refusal(add(missing, "acme")) == f"{missing}: No such file or directory"
    assert not missing.exists()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    expect_a_client(cognito)
    assert refusal(add(dev, "acme")) == f"{dev}: No space left on device"


def test_nothing_but_adding_can_be_done_with_a_shop(dev: Path) -> None:
    result = run_command("shop", "remove", "demo", "--settings", str(dev))
    assert result.exit_code == 2
    assert "'remove' is not one of 'add'" in result.stderr
    assert dev.read_text(encoding="utf-8") == DEV
