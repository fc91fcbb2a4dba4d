import pytest

from embedded_xnat.domain.addresses import Address, ObjectKind, Step, parse_address


@pytest.mark.parametrize(
    ("path", "kind", "aspect", "rest"),
    [
        ("projects", ObjectKind.SITE, "projects", ()),
        ("projects/P/experiments/E/assessors/A/out/resources/R/files/x/y", ObjectKind.RESOURCE, "files", ("x", "y")),
        ("subjects/S/projects/P2", ObjectKind.SUBJECT, "projects", ("P2",)),
        ("experiments/E/scans/ALL/files", ObjectKind.SCAN, "files", ()),
        ("archive/experiments/E/status", ObjectKind.EXPERIMENT, "status", ()),
        ("projects/P/users/Owners/jane", ObjectKind.PROJECT, "users", ("Owners", "jane")),
    ],
)
def test_an_address_names_an_object_and_what_is_asked_of_it(path, kind, aspect, rest) -> None:
    address = parse_address(path)
    assert address is not None
    assert (address.kind, address.aspect, address.rest) == (kind, aspect, rest)


def test_names_of_collections_may_be_labels() -> None:
    assert parse_address("projects/scans/subjects/files") == Address(
        (Step(ObjectKind.PROJECT, "scans"), Step(ObjectKind.SUBJECT, "files"))
    )


@pytest.mark.parametrize("path", ["", "services/import", "search/elements"])
def test_other_addresses_are_not_of_the_tree(path: str) -> None:
    assert parse_address(path) is None
