"""What the addresses of pages may ask for. May import pydantic and the services."""

from __future__ import annotations

from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from study_governor.experiments.service import SessionFilter


class SessionQuery(BaseModel):
    """Filters of the list of sessions; empty fields of the form do not matter."""

    model_config = ConfigDict(frozen=True)

    study: str = Field(default="", max_length=100)
    state: str = Field(default="", max_length=100)
    attention: str = Field(default="", max_length=16)
    q: str = Field(default="", max_length=100)
    cursor: str = Field(default="", max_length=200)

    def filter(self) -> SessionFilter:
        """Return the filter for the listing."""
        return SessionFilter(
            cohort=self.study or None,
            state=self.state or None,
            attention=self.attention or None,
            text=self.q.strip() or None,
        )

    @property
    def is_filtered(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(self.study or self.state or self.attention or self.q.strip())

    def address(self, **changes: str | None) -> str:
        """Return the query string with some fields changed.

        Examples
        --------
        >>> SessionQuery(study="brain", cursor="x").address(cursor=None, state="review")
        '?study=brain&state=review'
        """
        values = {**self.model_dump(), **changes}
        given = {name: value for name, value in values.items() if value}
        return f"?{urlencode(given)}" if given else ""
