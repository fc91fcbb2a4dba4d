"""Settings that all services share."""

import pytest
from pydantic import ValidationError

from service_kit.settings import ServiceSettings, WrongSettings, load_settings

URL = "sqlite:////srv/accounts.db"


def test_each_setting_says_what_it_is_for():
    for name, field in ServiceSettings.model_fields.items():
        assert field.description, name


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", URL)
    monkeypatch.setenv("COHORTFLOW_SITE_URL", "https://cohort.example.org/")
    settings = load_settings(ServiceSettings)
    assert (settings.accounts_database_url, settings.site_url) == (URL, "https://cohort.example.org")
    assert settings.secure_cookies


def test_a_missing_and_a_wrong_one_are_named_in_one_sentence(monkeypatch):
    monkeypatch.delenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", raising=False)
    monkeypatch.setenv("COHORTFLOW_XNAT_URL", "localhost:8080")
    with pytest.raises(WrongSettings) as wrong:
        load_settings(ServiceSettings)
    assert set(wrong.value.variables) == {"COHORTFLOW_ACCOUNTS_DATABASE_URL", "COHORTFLOW_XNAT_URL"}
    assert "COHORTFLOW_ACCOUNTS_DATABASE_URL: set it" in str(wrong.value)


def test_settings_do_not_change():
    settings = ServiceSettings(accounts_database_url=URL)
    with pytest.raises(ValidationError):
        settings.site_url = "http://elsewhere"
