"""What the demonstration reads from the services."""

from types import SimpleNamespace

from deployments.demo.house_view import newest_reader, newest_reason

VALUES = {11: {"reason": "An older one."}, 12: {"reason": "The session holds no T1-weighted scan."}, 13: {}}


class Governor:
    """Answers of a governor, by the ids of the executions of each action."""

    def __init__(self, *actions):
        self._actions = actions

    def actions(self, _):
        return [SimpleNamespace(executions=[SimpleNamespace(id=one) for one in each]) for each in self._actions]

    def execution(self, execution_id):
        return SimpleNamespace(result_values=VALUES[execution_id])


def test_the_reason_is_that_of_the_last_step_in_which_something_ran():
    assert newest_reason(Governor([11], [12], []), 7) == "The session holds no T1-weighted scan."


def test_a_reason_of_long_ago_is_not_given():
    assert newest_reason(Governor([11], [13], []), 7) == ""


def test_who_answered_is_whoever_ended_the_newest_review():
    steps = [
        ("arrived", "created", "intake"),
        ("review", "answer", "ada"),
        ("rejected", "manual", "anna"),
        ("review", "answer", "bea"),
        ("releasing", "answer", "flows"),
    ]
    actions = [SimpleNamespace(source_state=state, trigger=how, actor=who) for state, how, who in steps]
    assert newest_reader(SimpleNamespace(actions=lambda _: actions), 7) == "bea"
    assert newest_reader(SimpleNamespace(actions=lambda _: actions[:1]), 7) == ""
