"""Adds and gives out templates. May import the database and the domain; knows no HTTP."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.exc import IntegrityError

from service_kit.database import Database
from service_kit.errors import Conflict
from task_supervisor.contract.errors import TemplateUnknown
from task_supervisor.contract.schemas import TemplateIn, TemplateOut
from task_supervisor.db import repository
from task_supervisor.db.tables import TemplateRow, TemplateVersionRow
from task_supervisor.domain.forms import Form
from task_supervisor.domain.templates import read_template

URI = "/api/v1/task_templates"


class TemplateChanged(Conflict):
    """Somebody else added a version at the same moment."""

    def __init__(self, label: str) -> None:
        self.label = label
        super().__init__(f"The template {label!r} was changed by somebody else at the same moment. Send it again.")


@dataclass(frozen=True, slots=True)
class Stored:
    """A template after it was put; ``is_new`` when this text is a new version."""

    template: TemplateOut
    is_new: bool


class Templates:
    """Templates over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, template: TemplateIn, *, actor: str) -> Stored:
        """Store a text under its label: the same text again changes nothing, another one is a new version.

        Tasks keep the version that they were made with.

        Raises
        ------
        TemplateRefused
            If the text is no ViewR template.
        TemplateChanged
            If somebody else stored another text at the same moment.
        """
        form = cached_form(template.label, template.content)
        digest = hashlib.sha256(template.content.encode()).hexdigest()
        try:
            with self._database.write() as uow:
                found = repository.template_version(uow, template.label)
                if found is not None and found[1].sha256 == digest:
                    return Stored(_shown(found[0], found[1], form), is_new=False)
                row = found[0] if found is not None else TemplateRow(label=template.label)
                uow.session.add(row)
                uow.session.flush()
                assert row.id is not None
                version = TemplateVersionRow(
                    template_id=row.id,
                    version=found[1].version + 1 if found is not None else 1,
                    content=template.content,
                    sha256=digest,
                    created_by=actor,
                )
                uow.session.add(version)
                uow.session.flush()
                return Stored(_shown(row, version, form), is_new=True)
        except IntegrityError as error:
            raise TemplateChanged(template.label) from error

    def get(self, label: str) -> TemplateOut:
        """Return the newest version of a template.

        Raises
        ------
        TemplateUnknown
        """
        with self._database.read() as uow:
            found = repository.template_version(uow, label)
            if found is None:
                raise TemplateUnknown(label)
            return _shown(found[0], found[1], cached_form(label, found[1].content))

    def labels(self) -> list[str]:
        """Return the labels of all templates."""
        with self._database.read() as uow:
            return repository.template_labels(uow)


@lru_cache(maxsize=64)
def cached_form(label: str, content: str) -> Form:
    """Read a template once; a form never changes."""
    return read_template(label, content)


def _shown(row: TemplateRow, version: TemplateVersionRow, form: Form) -> TemplateOut:
    return TemplateOut(
        uri=f"{URI}/{row.label}",
        label=row.label,
        content=version.content,
        version=version.version,
        remarks=list(form.remarks),
    )
