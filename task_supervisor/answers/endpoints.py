"""REST endpoints of answers and drafts. May import FastAPI."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service_kit.accounts.domain import Principal, Scope
from service_kit.accounts.guards import require_scope
from service_kit.row_ids import PathId
from task_supervisor.answers.service import Answers
from task_supervisor.contract.schemas import AnswerIn, DraftIn, Kept, Settled

router = APIRouter(prefix="/api/v1/tasks", tags=["answers"])

Answerer = Annotated[Principal, Depends(require_scope(Scope.supervisor_answer))]


def answers_of(request: Request) -> Answers:
    """Return the answers of the app that answers."""
    answers = request.app.state.answers
    assert isinstance(answers, Answers)
    return answers


Service = Annotated[Answers, Depends(answers_of)]


@router.post("/{task_id}/submit")
def submit_answer(task_id: PathId, body: AnswerIn, answers: Service, principal: Answerer) -> Settled:
    """Answer a task with the token of one's lease; again with the same token and answer is the same answer."""
    return answers.submit(task_id, token=body.token, answer=body.answer, principal=principal)


@router.put("/{task_id}/draft")
def keep_draft(task_id: PathId, body: DraftIn, answers: Service, principal: Answerer) -> Kept:
    """Keep an unfinished answer for its author."""
    return answers.keep_draft(task_id, answer=body.answer, principal=principal)


@router.get("/{task_id}/draft", response_model=None)
def get_draft(task_id: PathId, answers: Service, principal: Answerer) -> DraftIn | Response:
    """Return one's unfinished answer; 204 when there is none."""
    draft = answers.draft(task_id, principal=principal)
    return Response(status_code=204) if draft is None else DraftIn(answer=draft)
