"""What is started with which environment."""

from pathlib import Path

from deployments.launcher.credentials import generate_credentials
from deployments.launcher.endpoints import Endpoints
from deployments.launcher.home import Home
from deployments.launcher.plan import LaunchOptions, environment_of, processes_of
from deployments.launcher.ports import Ports

ENDPOINTS = Endpoints(Ports(site=1, dicom=2, xnat=3, prefect=4, dask=5, dask_dashboard=6))


def environment(**options):
    return environment_of(
        Home(Path("/srv/of/it")), ENDPOINTS, generate_credentials(), options=LaunchOptions(quiet_period_s=2), **options
    )


def test_every_process_of_the_house_is_started_once():
    names = [spec.name for spec in processes_of(ENDPOINTS, environment())]
    assert sorted(names) == ["dask", "dicom-receiver", "embedded-xnat", "prefect", "web", "worker"]


def test_no_secret_stands_on_a_command_line():
    credentials = generate_credentials()
    values = {credentials.xnat_password, *(person.password for person in credentials.people)}
    for spec in processes_of(ENDPOINTS, environment()):
        assert not values & set(spec.command)


def test_what_takes_work_in_ends_before_what_it_needs():
    waves = {spec.name: spec.stop_wave for spec in processes_of(ENDPOINTS, environment())}
    assert waves["worker"] < waves["prefect"]
    assert waves["dicom-receiver"] <= waves["web"]


def test_addresses_follow_the_ports():
    found = environment()
    assert found["COHORTFLOW_SITE_URL"] == found["COHORTFLOW_GOVERNOR_URL"] == "http://127.0.0.1:1"
    assert found["COHORTFLOW_SUPERVISOR_URL"] == "http://127.0.0.1:1/tasks"
    assert found["COHORTFLOW_DICOM_PORT"] == "2"
    assert found["COHORTFLOW_PREFECT_API_URL"] == found["PREFECT_API_URL"] == "http://127.0.0.1:4/api"
    assert found["COHORTFLOW_DASK_ADDRESS"] == "tcp://127.0.0.1:5"
    assert found["COHORTFLOW_QUIET_PERIOD_S"] == "2"


def test_a_database_named_by_the_user_is_kept():
    given = {"COHORTFLOW_GOVERNOR_DATABASE_URL": "postgresql+psycopg://host/governor"}
    found = environment(inherited=given)
    assert found["COHORTFLOW_GOVERNOR_DATABASE_URL"] == "postgresql+psycopg://host/governor"
    assert found["COHORTFLOW_XNAT_DATABASE_URL"] == "sqlite:////srv/of/it/databases/xnat.db"
