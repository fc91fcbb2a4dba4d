"""Where the governor's things are: paths for programs, full addresses for other systems. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

API = "/api/v2"


def uri(kind: str, key: object) -> str:
    """Return the path of a thing.

    Examples
    --------
    >>> uri("experiments", 3)
    '/api/v2/experiments/3'
    """
    return f"{API}/{kind}/{key}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Full addresses.

    Parameters
    ----------
    site_url
        Where browsers reach the pages.
    governor_url
        Where programs reach the REST interface.
    """

    site_url: str
    governor_url: str

    def api(self, kind: str, key: object) -> str:
        """Return the full address of a thing for programs."""
        return self.governor_url.rstrip("/") + uri(kind, key)

    def session_page(self, experiment_id: int) -> str:
        """Return the address of a session's page."""
        return f"{self.site_url.rstrip('/')}/sessions/{experiment_id}"

    def action_page(self, experiment_id: int, action_id: int) -> str:
        """Return the address of a step on a session's page."""
        return f"{self.session_page(experiment_id)}#action-{action_id}"
