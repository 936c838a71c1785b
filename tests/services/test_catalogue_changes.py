"""How two versions of an engine's command line differ."""

from autotuner.contracts.engine import Catalogue, CatalogueParameter, GoneFlag
from autotuner.services.catalogues import changes


def parameter(flag: str, **fields: object) -> CatalogueParameter:
    name = flag.lstrip("-").replace("-", "_")
    return CatalogueParameter.model_validate(
        {"name": name, "flag": flag, "type": "int", "help": f"about {flag}", **fields}
    )


OLD = Catalogue(
    engine="toy",
    version="0.9",
    parameters=(
        parameter("--same"),
        parameter("--default", default=1),
        parameter("--values", type="choice", choices=("a", "b")),
        parameter("--dropped"),
        parameter("--before"),
        parameter("--short-name", name="kept"),
    ),
)
NEW = Catalogue(
    engine="toy",
    version="0.10",
    parameters=(
        parameter("--same", help="other words"),
        parameter("--default", default=2),
        parameter("--values", type="choice", choices=("b", "c")),
        parameter("--after"),
        parameter("--long-name", name="kept"),
        parameter("--added"),
    ),
    gone=(
        GoneFlag(flag="--dropped", gone="0.10", hint="nobody used it"),
        GoneFlag(flag="--before", instead=("--after",)),
    ),
)


def test_changes_are_told_apart() -> None:
    found = {(change.kind, change.flag): change for change in changes(OLD, NEW)}
    assert set(found) == {
        ("new", "--added"),
        ("gone", "--dropped"),
        ("renamed", "--after"),
        ("renamed", "--long-name"),
        ("changed", "--default"),
        ("changed", "--values"),
    }
    assert found["gone", "--dropped"].hint == "nobody used it"
    assert found["renamed", "--after"].was == "--before"
    assert found["renamed", "--long-name"].was == "--short-name"
    assert found["changed", "--default"].fields == {"default": (1, 2)}
    assert found["changed", "--values"].fields == {"choices": (("a", "b"), ("b", "c"))}


def test_the_order_of_the_two_does_not_matter_and_equal_ones_have_no_changes() -> None:
    assert changes(NEW, OLD) == changes(OLD, NEW)
    assert changes(NEW, NEW) == []
