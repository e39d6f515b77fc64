"""The settings of an environment: who is let in, or a message that names each field that is wrong, and why."""

from pathlib import Path

import pytest

from events.integration import PUBLISHED_BY
from handlers.intake.parties import Parties, Party
from infra.settings.environment import InvalidSettings, Settings, file_of, read_settings

FULL = """
[shops.acme]
sources = ["com.acme.orders", "com.acme.web"]
clients = ["1example23456789"]
folder = "acme-files"

[shops.bloom]

[partners.main-warehouse]
role = "warehouse"
source = "com.example.warehouse"

[partners.parcels]
role = "carrier"
source = "com.example.parcels"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "production.toml"


def settings(file: Path, content: str) -> Settings:
    file.write_text(content, encoding="utf-8")
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


def test_a_source_for_all_gives_a_partner_its_own_role_alone(file: Path) -> None:
    anybody = '[shops.acme]\n[partners.depot]\nrole = "warehouse"\nsource = "*"\n'
    assert settings(file, anybody).parties.publisher("any") == Party(name="depot", roles=("warehouse",))


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"production\.toml: No such file or directory"):
        read_settings(file)


def test_what_is_no_toml_is_named_with_its_place(file: Path) -> None:
    [why] = wrong(file, "[shops.acme\n")
    assert "at line 1" in why


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
        ("[shops.acme]\nfolder = 'a/b'", "shops.acme.folder", "String should match pattern"),
        ("[shops.acme]\nfolder = '*'", "shops.acme.folder", "String should match pattern"),
        ("[shops.acme]\n[partners.P]\nrole = 'carrier'\nsource = 'a'", "partners.P.[key]", "String should match"),
        ("[shops.acme]\n[partners.p]\nrole = 'shop'\nsource = 'a'", "partners.p.role", "'warehouse' or 'carrier'"),
        ("[shops.acme]\n[partners.p]\nrole = 'carrier'", "partners.p.source", "Field required"),
        ("[shops.acme]\n[partners.p]\nsource = 'a'", "partners.p.role", "Field required"),
        ("[shops.acme]\n[partners.p]\nrole = 'carrier'\nsource = 'a b'", "partners.p.source", "String should match"),
        ("[shops.acme]\n[partner.p]", "partner", "Extra inputs are not permitted"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_the_reason(file: Path, content: str, field: str, why: str) -> None:
    [reason] = wrong(file, content)
    assert reason.startswith(f"{field}: ")
    assert why in reason


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
