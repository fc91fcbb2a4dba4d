"""The pages: every state is told in words, in the right hands, and without inline code."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Dismissal, RejectedInstance, Settlement
from gateway.contract.states import Outcome
from service_kit.accounts import domain
from service_kit.accounts.credentials import csrf_token_of
from service_kit.accounts.domain import Role, Scope
from service_kit.accounts.guards import SESSION_COOKIE

ONE = ArrivalId(1)
PAGES = (
    "/",
    "/?state=quarantined",
    "/quarantine",
    "/quarantine?dismissed=true",
    "/arrivals/1",
    "/parts/arrivals",
    "/parts/quarantine",
    "/parts/held",
)


@pytest.fixture
def sign_in(app, accounts):
    def sign_in_as(role, *, study=None):
        accounts.create_user("anna", None)
        accounts.grant("anna", role, study=study)
        browser = TestClient(app, cookies={SESSION_COOKIE: accounts.start_session("anna")}, follow_redirects=False)
        browser.headers["accept"] = "text/html"
        return browser

    return sign_in_as


@pytest.fixture
def browser(sign_in):
    return sign_in(Role.coordinator)


def quarantine(arrivals, reason):
    arrivals.complete(ONE, actor="test")
    arrivals.settle(ONE, Settlement(outcome=Outcome.quarantined, reason=reason), actor="flows")


def test_an_empty_gateway_says_where_to_send(browser):
    page = browser.get("/").text
    assert "Nothing has arrived yet" in page
    assert "COHORTFLOW" in page
    assert "11112" in page
    assert "Nothing is held back" in browser.get("/quarantine").text


def test_an_arrival_that_receives_tells_what_it_waits_for(browser, receive):
    receive()
    page = browser.get("/").text
    assert "SCANNER" in page
    assert "receiving" in page
    assert "after 1 min 0 s without an object" in page


def test_a_quarantined_arrival_shows_its_reason_and_the_way_on(browser, receive, arrivals):
    receive()
    quarantine(arrivals, "It fits no study: <b>nobody</b> takes SCANNER.")
    for path in ("/", "/quarantine", "/arrivals/1"):
        page = browser.get(path).text
        assert "It fits no study: &lt;b&gt;nobody&lt;/b&gt; takes SCANNER." in page, path
    assert "Try again" in browser.get("/quarantine").text


def test_an_archived_arrival_links_to_its_session_and_keeps_what_it_holds_back_in_sight(browser, receive, arrivals):
    bad, _good = receive(), receive()
    arrivals.complete(ONE, actor="test")
    settlement = Settlement(
        outcome=Outcome.accepted,
        session_label="S1_MR_20260301",
        study="brain",
        session_url="http://127.0.0.1:8080/sessions/3",
        rejected=(RejectedInstance(sha256=bad.sha256, reason="It is cut off."),),
    )
    arrivals.settle(ONE, settlement, actor="flows")
    assert 'href="http://127.0.0.1:8080/sessions/3"' in browser.get("/").text
    assert "It is cut off." in browser.get("/arrivals/1").text
    assert "1 <span" in browser.get("/quarantine").text


def test_an_unreadable_arrival_cannot_be_tried_again(browser, receive, arrivals):
    receive(unreadable="Its header is broken.")
    arrivals.complete(ONE, actor="test")
    page = browser.get("/arrivals/1").text
    assert "Its header is broken." in page
    assert "Try again" not in page


def test_a_recovered_object_waits_for_its_sender_in_words(browser, receive):
    from gateway.domain.received import Sender

    receive(sender=Sender())
    assert "Waits for its sender" in browser.get("/").text


def test_the_quarantine_says_each_reason_once(browser, receive, arrivals):
    one, two = receive(), receive()
    arrivals.complete(ONE, actor="test")
    rejected = [
        RejectedInstance(sha256=each.sha256, reason="Rejected: it is cut off; also it is unmarked.")
        for each in (one, two)
    ]
    summary = "None of its instances can be accepted. 2 instances: it is cut off; also it is unmarked."
    settlement = Settlement(outcome=Outcome.quarantined, reason=summary, rejected=tuple(rejected))
    arrivals.settle(ONE, settlement, actor="flows")
    page = browser.get("/quarantine").text
    assert page.count("is cut off") == 1
    assert '<p class="gw-reason">It is cut off; also it is unmarked.</p>' in page


def test_other_services_pages_are_told_how_many_the_quarantine_holds_and_why(sign_in, receive, arrivals):
    browser = sign_in(Role.coordinator, study="brain")
    assert browser.get("/parts/held").text.strip() == browser.get("/parts/held-count").text.strip() == ""
    marked = "Rejected: it is <not> marked as de-identified."
    for number, study in enumerate(("brain", "brain", "chest"), start=1):
        bad, good = receive(study=f"1.{number}"), receive(study=f"1.{number}")
        arrivals.complete(ArrivalId(number), actor="test")
        wholly = (RejectedInstance(sha256=good.sha256, reason="Rejected: it is cut off."),) if number == 2 else ()
        settlement = Settlement(
            outcome=Outcome.quarantined if number == 2 else Outcome.accepted,
            reason="None of its instances can be accepted." if number == 2 else None,
            study=study,
            rejected=(RejectedInstance(sha256=bad.sha256, reason=marked), *wholly),
        )
        arrivals.settle(ArrivalId(number), settlement, actor="flows")
    receive(study="1.4")
    arrivals.complete(ArrivalId(4), actor="test")
    late = Settlement(outcome=Outcome.quarantined, reason="The archive refused it.", study="brain")
    arrivals.settle(ArrivalId(4), late, actor="flows")
    assert "3 arrivals wait in the quarantine" in browser.get("/parts/held-count").text
    card = browser.get("/parts/held").text
    assert re.findall(r"data-count>(\d+)</span><span>([^\n]+)</span>", card) == [
        ("2", "It is &lt;not&gt; marked as de-identified."),
        ("1", "It is cut off."),
        ("1", "The archive refused it."),
    ]
    assert 'href="/quarantine"' in card
    assert "Of the newest" not in card


def test_where_only_the_newest_are_counted_by_reason_the_card_says_so(browser, receive, arrivals, monkeypatch):
    for module in ("gateway.arrivals.service", "gateway.web.pages"):
        monkeypatch.setattr(f"{module}.REASONS_OF_NEWEST", 2)
    for number in range(1, 4):
        receive(study=f"1.{number}")
        arrivals.complete(ArrivalId(number), actor="test")
        arrivals.settle(
            ArrivalId(number), Settlement(outcome=Outcome.quarantined, reason="No study fits."), actor="flows"
        )
        card = browser.get("/parts/held").text
        assert ("Of the newest 2:" in card) is (number > 2)
    assert "3 arrivals hold something back" in card
    assert "data-count>2</span>" in card


def test_no_page_carries_inline_code_or_style(browser, receive, arrivals):
    receive()
    quarantine(arrivals, "No study fits.")
    for path in PAGES:
        page = browser.get(path).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*src=)", page), path


def test_buttons_change_things_only_with_the_token_of_the_page(browser, receive, arrivals, app):
    receive()
    assert browser.post("/arrivals/1/complete").status_code == 403
    token = csrf_token_of(browser.cookies[SESSION_COOKIE])
    answer = browser.post("/arrivals/1/complete", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/arrivals/1")
    assert app.state.arrivals.get(ONE).state == "complete"
    assert app.state.arrivals.history(ONE)[0].actor == "anna"


def test_strangers_are_led_to_the_log_in_and_annotators_stay_out(app, sign_in):
    stranger = TestClient(app, follow_redirects=False, headers={"accept": "text/html"})
    assert stranger.get("/quarantine").headers["location"].endswith("/login?next=/quarantine")
    annotator = sign_in(Role.annotator)
    assert [annotator.get(path).status_code for path in PAGES] == [403] * len(PAGES)


def test_a_coordinator_of_one_study_does_not_see_another_ones(sign_in, receive, arrivals):
    receive()
    arrivals.complete(ONE, actor="test")
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study="brain", session_label="S1"), actor="flows")
    browser = sign_in(Role.coordinator, study="chest")
    assert browser.get("/arrivals/1").status_code == 404
    assert "S1" not in browser.get("/").text


def test_links_stay_below_the_mount(app, accounts, receive):
    from fastapi import FastAPI

    receive()
    accounts.create_user("anna", None)
    accounts.grant("anna", Role.coordinator)
    site = FastAPI()
    site.mount("/gateway", app)
    browser = TestClient(site, cookies={SESSION_COOKIE: accounts.start_session("anna")})
    page = browser.get("/gateway/").text
    assert 'href="/gateway/arrivals/1"' in page
    assert 'sse-connect="/gateway/events"' in page
    assert 'href="/tasks/"' in page


def post(browser, path, **fields):
    return browser.post(path, data={"csrf_token": csrf_token_of(browser.cookies[SESSION_COOKIE]), **fields})


def test_an_arrival_is_set_aside_with_a_reason_and_brought_back_without_any_script(browser, receive, arrivals):
    receive()
    quarantine(arrivals, "No study fits.")
    assert 'href="/arrivals/1?set_aside=true"' in browser.get("/quarantine").text
    assert "<details" in browser.get("/arrivals/1").text
    assert " open>" in browser.get("/arrivals/1?set_aside=true").text
    answer = post(browser, "/arrivals/1/dismiss", reason=" A <b>phantom</b>. ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/arrivals/1")
    for path in ("/arrivals/1", "/", "/?state=dismissed", "/quarantine?dismissed=true"):
        page = browser.get(path).text
        assert "Set aside by anna" in page, path
        assert "A &lt;b&gt;phantom&lt;/b&gt;." in page, path
    held = browser.get("/quarantine").text
    assert "Nothing is held back" in held
    assert 'Quarantine<span class="cf-count">0</span>' in held
    assert 'Set aside<span class="cf-count">1</span>' in held
    assert browser.get("/parts/held").text.strip() == browser.get("/parts/held-count").text.strip() == ""
    assert "No arrival is in this state" in browser.get("/?state=quarantined").text
    assert post(browser, "/arrivals/1/reopen").status_code == 303
    assert "No study fits." in browser.get("/quarantine").text
    assert "Nothing was set aside" in browser.get("/quarantine?dismissed=true").text


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\0b"])
def test_without_a_proper_reason_the_page_asks_for_one_and_keeps_what_was_written(browser, receive, arrivals, reason):
    receive()
    quarantine(arrivals, "No study fits.")
    answer = post(browser, "/arrivals/1/dismiss", reason=reason)
    assert answer.status_code == 400
    assert "Say in a few words, 500 characters at most" in answer.text
    assert f'value="{reason}"' in answer.text
    assert arrivals.get(ONE).dismissed_at is None


def test_what_belongs_to_another_study_is_not_set_aside_and_nothing_is_shown_of_it(sign_in, receive, arrivals):
    receive()
    arrivals.complete(ONE, actor="test")
    settlement = Settlement(outcome=Outcome.quarantined, reason="No scan.", study="brain", site="ams")
    arrivals.settle(ONE, settlement, actor="flows")
    browser = sign_in(Role.coordinator, study="chest")
    assert post(browser, "/arrivals/1/dismiss", reason="Not mine.").status_code == 404
    assert post(browser, "/arrivals/1/dismiss", reason="").status_code == 404, "and nothing is shown of it"
    assert browser.post("/arrivals/1/dismiss", data={"reason": "x"}).status_code == 403, "no token of the page"
    assert arrivals.get(ONE).dismissed_at is None


def test_who_may_only_read_is_offered_neither_form_nor_button(browser, receive, arrivals, monkeypatch):
    """So far every role that opens these pages may also change what they show: here one is taken down to reading."""
    bad, _good = receive(study="1.1"), receive(study="1.1")
    for number, study in enumerate(("1.2", "1.3", "1.4"), start=2):
        receive(study=study)
        if number < 4:
            arrivals.complete(ArrivalId(number), actor="test")
            settlement = Settlement(outcome=Outcome.quarantined, reason="No scan.", study="brain")
            arrivals.settle(ArrivalId(number), settlement, actor="flows")
    arrivals.dismiss(ArrivalId(3), Dismissal(reason="A phantom."), actor="anna")
    arrivals.complete(ONE, actor="test")
    rejected = (RejectedInstance(sha256=bad.sha256, reason="It is cut off."),)
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study="brain", rejected=rejected), actor="flows")

    def offered():
        texts = "".join(browser.get(path).text for path in (*PAGES, *(f"/arrivals/{number}" for number in range(2, 5))))
        return set(re.findall(r"/arrivals/\d+(?:/|\?)(\w+)", texts))

    assert offered() == {"complete", "retry", "dismiss", "set_aside", "reopen"}
    monkeypatch.setitem(domain._SCOPES, Role.coordinator, frozenset({Scope.gateway_read}))
    assert "No scan." in browser.get("/arrivals/2").text
    assert offered() == set()


def test_part_of_an_archived_arrival_is_set_aside_and_the_arrival_stays_archived(browser, receive, arrivals):
    bad, _good = receive(), receive()
    arrivals.complete(ONE, actor="test")
    rejected = (RejectedInstance(sha256=bad.sha256, reason="It is cut off."),)
    arrivals.settle(ONE, Settlement(outcome=Outcome.accepted, study="brain", rejected=rejected), actor="flows")
    post(browser, "/arrivals/1/dismiss", reason="Its other half is here.")
    assert "1 set aside" in browser.get("/?state=accepted").text
    assert "1 held back" not in browser.get("/").text
    assert "It is cut off." in browser.get("/quarantine?dismissed=true").text
