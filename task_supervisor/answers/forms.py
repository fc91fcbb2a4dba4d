"""The form of a task: read from the template version that the task was made with."""

from service_kit.database import UnitOfWork
from task_supervisor.db import repository
from task_supervisor.db.tables import TaskRow
from task_supervisor.domain.forms import Form
from task_supervisor.templates.service import cached_form


def form_of(uow: UnitOfWork, row: TaskRow) -> Form:
    """Return the form of a task."""
    template, version = repository.version_by_id(uow, row.template_version_id)
    return cached_form(template.label, version.content)
