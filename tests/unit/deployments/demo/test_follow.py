"""Sessions are followed to their end, through restarts of the services."""

import pytest

from deployments.demo.follow import follow
from deployments.demo.stages import ArrivalSeen, Progress, SessionSeen, Stage
from deployments.errors import DemoUnfinished, Interrupted
from gateway.client import GatewayUnavailable

START = Progress("BV-001", "2.25.1", total=1, sent=1, stage=Stage.sending)
PATH = ["arrived", "extracting", "review", "releasing", "released"]


class Script:
    """A view of a house in which a session makes one step at each look; a review waits for its answer."""

    def __init__(self, states=PATH, *, answers_reviews=True, silent_at=None):
        self.states = list(states)
        self.answers_reviews = answers_reviews
        self.accepted = []
        self.silent_at = silent_at
        self.looks = 0

    def arrival(self, _):
        self.looks += 1
        if self.looks == self.silent_at:
            raise GatewayUnavailable
        return ArrivalSeen("accepted", "BV-001_MR")

    def session(self, label):
        state = self.states[0]
        if state != "review" and len(self.states) > 1:
            self.states.pop(0)
        return SessionSeen(1, state, f"/sessions/1#{label}")

    def accept_reviews(self, labels):
        self.accepted.append(labels)
        self.states.pop(0)
        return 1


def followed(view, **options):
    seen = []
    result = follow(
        [START], view, on_change=lambda one: seen.append(one.stage), check=lambda: None, poll_s=0, **options
    )
    return result, seen


def test_a_session_is_followed_to_its_release_and_its_review_answered():
    view = Script()
    result, seen = followed(view)
    assert result[0].stage is Stage.released
    assert seen == [Stage.archived, Stage.extracting, Stage.review, Stage.releasing, Stage.released]
    assert view.accepted == [{"BV-001_MR"}]


def test_a_review_is_left_to_a_person():
    view = Script(answers_reviews=False)
    result, _ = followed(view)
    assert result[0].stage is Stage.review
    assert view.accepted == []


def test_sessions_are_followed_on_while_a_person_answers():
    view = Script(answers_reviews=False)
    seen = []

    def note(one):
        seen.append(one.stage)
        if one.stage is Stage.review:
            view.states.pop(0)

    result = follow([START], view, on_change=note, check=lambda: None, poll_s=0, waits_for_reviews=True)
    assert result[0].stage is Stage.released
    assert seen[-3:] == [Stage.review, Stage.releasing, Stage.released]
    assert view.accepted == []


def test_a_service_that_is_being_restarted_is_asked_again():
    assert followed(Script(silent_at=2))[0][0].stage is Stage.released


def test_a_session_set_aside_ends_the_following():
    result, _ = followed(Script(["extraction_failed"]))
    assert result[0].stage is Stage.aside
    assert result[0].why == "extraction failed"


def test_a_session_that_never_moves_is_named():
    with pytest.raises(DemoUnfinished, match="BV-001_MR waits at extracting"):
        followed(Script(["extracting"]), longest_wait_s=0.05)


def test_following_ends_when_asked():
    def stop():
        raise Interrupted

    with pytest.raises(Interrupted):
        follow([START], Script(), on_change=lambda _: None, check=stop)
