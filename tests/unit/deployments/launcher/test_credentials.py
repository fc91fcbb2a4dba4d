"""Generated log-ins, and the document that tells where everything is."""

import re
import stat

from deployments.launcher.credentials import generate_credentials, load_credentials, save_credentials
from deployments.launcher.endpoints import Endpoints
from deployments.launcher.home import Home
from deployments.launcher.ports import PortWishes, choose_ports


def test_every_home_gets_other_passwords():
    one, other = generate_credentials(), generate_credentials()
    passwords = [person.password for person in (*one.people, *other.people)] + [one.xnat_password, other.xnat_password]
    assert len(set(passwords)) == len(passwords)
    assert all(len(password) >= 16 for password in passwords)


def test_credentials_come_back_as_they_were_saved_for_their_owner_alone(tmp_path):
    home = Home(tmp_path)
    credentials = generate_credentials()
    save_credentials(home, credentials)
    assert load_credentials(home) == credentials
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600


def test_a_new_home_has_no_credentials(tmp_path):
    assert load_credentials(Home(tmp_path)) is None


def test_no_password_shows_when_credentials_are_printed():
    credentials = generate_credentials()
    assert not any(person.password in repr(credentials) for person in credentials.people)
    assert credentials.xnat_password not in repr(credentials)


def test_the_endpoints_have_exactly_the_agreed_form():
    credentials = generate_credentials()
    document = Endpoints(choose_ports(PortWishes(), remembered={}, free=lambda _: True)).document(credentials)
    assert set(document) == {
        "site_url", "xnat", "prefect_api_url", "prefect_ui_url", "dask_dashboard_url", "dicom", "gateway", "users",
    }  # fmt: skip
    assert set(document["xnat"]) == {"url", "user", "password"}
    assert document["dicom"] == {"host": "127.0.0.1", "port": 11112, "ae_title": "COHORTFLOW"}
    assert set(document["gateway"]) == {"ctp_url", "stow_url", "upload_url", "token"}
    assert {person["username"] for person in document["users"]} == {"admin", "engineer", "coordinator", "annotator"}
    assert all(set(person) == {"username", "password", "roles"} for person in document["users"])
    assert all(re.match(r"http://127\.0\.0\.1:\d+", document[name]) for name in document if name.endswith("_url"))
