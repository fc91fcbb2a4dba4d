"""Where a running Cohortflow is found: the content of ``HOME/endpoints.json``. Imports this package only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployments.launcher.ports import LOOPBACK, Ports

if TYPE_CHECKING:
    from deployments.launcher.credentials import Credentials

AE_TITLE = "COHORTFLOW"


@dataclass(frozen=True)
class Endpoints:
    """Addresses that follow from the ports."""

    ports: Ports

    @property
    def site_url(self) -> str:
        """The dashboard, and the root of all pages."""
        return f"http://{LOOPBACK}:{self.ports.site}"

    @property
    def supervisor_url(self) -> str:
        """The review tasks."""
        return f"{self.site_url}/tasks"

    @property
    def gateway_url(self) -> str:
        """The arrivals."""
        return f"{self.site_url}/gateway"

    @property
    def xnat_url(self) -> str:
        """The archive."""
        return f"http://{LOOPBACK}:{self.ports.xnat}"

    @property
    def prefect_ui_url(self) -> str:
        """Prefect's own pages."""
        return f"http://{LOOPBACK}:{self.ports.prefect}"

    @property
    def prefect_api_url(self) -> str:
        """Prefect's REST API."""
        return f"{self.prefect_ui_url}/api"

    @property
    def dask_address(self) -> str:
        """The Dask scheduler."""
        return f"tcp://{LOOPBACK}:{self.ports.dask}"

    @property
    def dask_dashboard_url(self) -> str:
        """Dask's own pages."""
        return f"http://{LOOPBACK}:{self.ports.dask_dashboard}/status"

    def document(self, credentials: Credentials) -> dict[str, Any]:
        """Give the content of ``endpoints.json``."""
        return {
            "site_url": self.site_url,
            "xnat": {
                "url": self.xnat_url,
                "user": credentials.xnat_user,
                "password": credentials.xnat_password,
            },
            "prefect_api_url": self.prefect_api_url,
            "prefect_ui_url": self.prefect_ui_url,
            "dask_dashboard_url": self.dask_dashboard_url,
            "dicom": {"host": LOOPBACK, "port": self.ports.dicom, "ae_title": AE_TITLE},
            "gateway": {
                "ctp_url": f"{self.gateway_url}/ctp",
                "stow_url": f"{self.gateway_url}/dicom-web/studies",
                "upload_url": f"{self.gateway_url}/api/v1/upload",
                "token": credentials.sender_token,
            },
            "users": [
                {"username": person.username, "password": person.password, "roles": list(person.roles)}
                for person in credentials.people
            ],
        }
