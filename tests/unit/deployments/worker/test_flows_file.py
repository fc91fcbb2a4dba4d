import pytest

from deployments.worker.errors import FlowsFileInvalid
from deployments.worker.flows_file import DEFAULT_FLOWS_FILE, read_flows_file


def write(folder, text):
    path = folder / "deployments" / "prefect.yaml"
    path.parent.mkdir()
    path.write_text(text)
    return path


def test_the_shipped_file_names_the_five_flows_in_the_pool_warm():
    file = read_flows_file(DEFAULT_FLOWS_FILE)
    assert [entry.module for entry in file.deployments] == [
        "flows.receive_session",
        "flows.extract_biomarkers",
        "flows.request_review",
        "flows.release",
        "flows.withdraw",
    ]
    assert {entry.name for entry in file.deployments} == {"warm"}
    assert file.work_pools == ("warm",)
    assert file.root == DEFAULT_FLOWS_FILE.parent.parent


def test_a_limit_may_be_a_number_or_a_mapping(tmp_path):
    path = write(
        tmp_path,
        """
        deployments:
          - {name: a, entrypoint: "f.py:a", work_pool: {name: p}, concurrency_limit: 2}
          - {name: b, entrypoint: "f.py:b", work_pool: {name: p}, concurrency_limit: {limit: 3, collision_strategy: CANCEL_NEW}}
          - {name: c, entrypoint: "f.py:c", work_pool: {name: q}}
        """,
    )
    first, second, third = read_flows_file(path).deployments
    assert (first.concurrency_limit.limit, first.concurrency_limit.collision_strategy) == (2, "ENQUEUE")
    assert (second.concurrency_limit.limit, second.concurrency_limit.collision_strategy) == (3, "CANCEL_NEW")
    assert third.concurrency_limit is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("deployments: []", "deployments"),
        ("- a list", "no mapping"),
        ("deployments: [", "not YAML"),
        ('deployments: [{name: a, entrypoint: "flow.a", work_pool: {name: p}}]', "entrypoint"),
        ('deployments: [{name: a, entrypoint: "f.py:a"}]', "work_pool"),
        (
            'deployments: [{name: a, entrypoint: "f.py:a", work_pool: {name: p}, concurrency_limit: 0}]',
            "greater than 0",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path, text, reason):
    with pytest.raises(FlowsFileInvalid, match=reason):
        read_flows_file(write(tmp_path, text))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FlowsFileInvalid, match="No such file"):
        read_flows_file(tmp_path / "prefect.yaml")
