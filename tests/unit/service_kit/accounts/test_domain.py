"""What roles, grants and scopes mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.accounts.domain import SCOPE_MEANINGS, Grant, Principal, Role, Scope

LABELS = st.none() | st.sampled_from(["brain", "chest"])
GRANTS = st.builds(Grant, st.sampled_from(Role), study=LABELS, site=LABELS)
PRINCIPALS = st.builds(Principal, st.just("ada"), st.just("Ada"), st.frozensets(GRANTS, max_size=4), st.none())


def someone(*grants: Grant, scopes: frozenset[str] | None = None) -> Principal:
    return Principal("ada", "Ada", frozenset(grants), scopes)


def test_a_role_for_one_study_says_nothing_about_another():
    coordinator = someone(Grant(Role.coordinator, study="brain"))
    assert coordinator.may(Role.coordinator, study="brain")
    assert not coordinator.may(Role.coordinator, study="chest")
    assert coordinator.studies(Role.coordinator) == {"brain"}


def test_a_role_at_one_site_says_nothing_about_another():
    annotator = someone(Grant(Role.annotator, study="brain", site="leiden"))
    assert annotator.may(Role.annotator, study="brain", site="leiden")
    assert not annotator.may(Role.annotator, study="brain", site="uppsala")


def test_an_engineer_may_do_what_coordinators_and_annotators_do_but_not_administer():
    engineer = someone(Grant(Role.engineer))
    assert engineer.may(Role.coordinator)
    assert engineer.may(Role.annotator)
    assert not engineer.may(Role.admin)


def test_an_annotator_reads_and_answers_tasks_and_nothing_else():
    assert someone(Grant(Role.annotator)).allowed_scopes() == {"supervisor:read", "supervisor:answer"}


def test_a_token_never_reaches_beyond_its_scopes_nor_beyond_the_roles():
    token = someone(Grant(Role.coordinator), scopes=frozenset({"governor:read", "governor:execute"}))
    assert token.has_scope("governor:read")
    assert not token.has_scope("governor:write"), "not in the token"
    assert not token.has_scope("governor:execute"), "not in the role"


def test_a_scope_holds_in_the_studies_of_the_grant_only():
    coordinator = someone(Grant(Role.coordinator, study="brain"))
    assert coordinator.has_scope("governor:write", study="brain")
    assert not coordinator.has_scope("governor:write", study="chest")


def test_what_belongs_to_no_site_takes_a_right_for_all_sites():
    one_site = someone(Grant(Role.engineer, study="brain", site="leiden"))
    assert one_site.holds("governor:execute", study="brain", site="leiden")
    assert not one_site.holds("governor:execute", study="brain", site=None)
    assert someone(Grant(Role.engineer, study="brain")).holds("governor:execute", study="brain", site=None)
    assert not someone(Grant(Role.engineer, study="brain")).holds("governor:execute", study=None, site=None)


@given(PRINCIPALS, st.sampled_from(Scope), LABELS, LABELS)
def test_whoever_holds_a_scope_for_a_thing_has_it_there(principal, scope, study, site):
    if principal.holds(scope, study=study, site=site):
        assert principal.has_scope(scope, study=study, site=site)


def test_a_token_opens_pages_only_with_every_scope_of_a_role():
    gateway_only = someone(Grant(Role.admin), scopes=frozenset({"gateway:read", "gateway:write"}))
    assert gateway_only.may(Role.coordinator)
    assert not gateway_only.acts_as(Role.coordinator)
    assert someone(Grant(Role.admin), scopes=frozenset(Scope)).acts_as(Role.coordinator)
    assert someone(Grant(Role.coordinator, study="brain")).acts_as(Role.coordinator)


def test_every_scope_is_explained_to_the_person_who_issues_a_token():
    assert set(SCOPE_MEANINGS) == set(Scope)


@given(PRINCIPALS, st.sampled_from(Role), LABELS, LABELS)
def test_whoever_may_somewhere_may_in_the_wider_question(principal, role, study, site):
    if principal.may(role, study=study, site=site):
        assert principal.may(role, study=study)
        assert principal.may(role)


@given(PRINCIPALS, st.sampled_from(Role), st.sampled_from(["brain", "chest"]))
def test_the_studies_of_a_role_are_those_in_which_it_is_held(principal, role, study):
    studies = principal.studies(role)
    assert principal.may(role, study=study) == (studies is None or study in studies)


@given(PRINCIPALS, st.frozensets(st.sampled_from(Scope)))
def test_scopes_can_only_take_away(principal, scopes):
    limited = Principal(principal.username, principal.display_name, principal.grants, scopes)
    assert limited.allowed_scopes() <= principal.allowed_scopes()


@pytest.mark.parametrize("role", list(Role))
def test_nobody_without_a_grant_may_do_anything(role):
    assert not someone().may(role)
    assert someone().studies(role) == frozenset()
