"""Settings that all services share."""

import pytest
from pydantic import ValidationError

from service_kit.settings import ServiceSettings

URL = "sqlite:////srv/accounts.db"


def test_each_setting_says_what_it_is_for():
    for name, field in ServiceSettings.model_fields.items():
        assert field.description, name


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", URL)
    monkeypatch.setenv("COHORTFLOW_SITE_URL", "https://cohort.example.org/")
    settings = ServiceSettings()
    assert (settings.accounts_database_url, settings.site_url) == (URL, "https://cohort.example.org")
    assert settings.secure_cookies


def test_settings_do_not_change():
    settings = ServiceSettings(accounts_database_url=URL)
    with pytest.raises(ValidationError):
        settings.site_url = "http://elsewhere"
