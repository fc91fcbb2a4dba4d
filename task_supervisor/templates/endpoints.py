"""REST endpoints of templates. May import FastAPI."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.errors import EVERY_STUDY, ScopeMissing
from service_kit.accounts.guards import require_scope
from task_supervisor.contract.schemas import TemplateIn, TemplateList, TemplateOut
from task_supervisor.templates.service import URI, Templates

router = APIRouter(prefix="/api/v1/task_templates", tags=["templates"])

Reader = Annotated[Principal, Depends(require_scope(Scope.supervisor_read))]
Writer = Annotated[Principal, Depends(require_scope(Scope.supervisor_write))]


def templates_of(request: Request) -> Templates:
    """Return the templates of the app that answers."""
    templates = request.app.state.templates
    assert isinstance(templates, Templates)
    return templates


Service = Annotated[Templates, Depends(templates_of)]


@router.get("")
def list_templates(templates: Service, _principal: Reader) -> TemplateList:
    """List the URIs of all templates, by label."""
    return TemplateList(task_templates=[f"{URI}/{label}" for label in templates.labels()])


@router.post("", status_code=201)
def put_template(body: TemplateIn, response: Response, templates: Service, principal: Writer) -> TemplateOut:
    """Add a template, or a new version of one: 201; the same text again: 200.

    Every study uses it, so its author needs the right for every study.
    """
    if not principal.has_scope_everywhere(Scope.supervisor_write):
        raise ScopeMissing(scope=Scope.supervisor_write, study=EVERY_STUDY)
    stored = templates.put(body, actor=principal.username)
    response.status_code = 201 if stored.is_new else 200
    return stored.template


@router.get("/{label}")
def get_template(label: str, templates: Service, _principal: Reader) -> TemplateOut:
    """Return the newest version of a template."""
    return templates.get(label)
