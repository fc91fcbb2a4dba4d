"""The shell in a real browser: nothing breaks the policy, forms and live parts work, colours have contrast."""

import pytest

from tests.browser import context_at, new_page
from tests.web.service_kit.gallery import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def window(chromium_browser, gallery_url):
    """A browser, and the cookies of the coordinator, so that not every test must sign in anew."""
    context = context_at(chromium_browser, gallery_url)
    page = new_page(context)
    sign_in(page)
    page.close()
    return context, context.cookies()


@pytest.fixture
def page(window, request):
    context, signed_in = window
    scheme = getattr(request, "param", "light")
    page = new_page(context, cookies=signed_in, scheme=scheme)
    page.scheme = scheme
    yield page
    page.close()


in_both_schemes = pytest.mark.parametrize("page", ["light", "dark"], indirect=True)


def sign_in(page, path="/", username="carl"):
    page.goto(path)
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_selector(".cf-user")


def test_no_page_breaks_the_policy_or_throws(page):
    for path in ("/", "/sessions", "/sessions?empty=1", "/account"):
        page.goto(path, wait_until="load")
    assert page.complaints == []


def test_htmx_carries_the_token_and_other_parts_hear_of_it_live(page):
    page.goto("/")
    page.wait_for_selector("html[data-live=on]")
    page.click("button:has-text('Click')")
    page.wait_for_selector("#clicks span")
    page.wait_for_selector("#live:text-matches('^[0-9]+ live$')")


def test_a_refusal_is_told_in_the_corner_in_its_own_words(page):
    page.goto("/")
    page.click("button:has-text('Move on')")
    assert "The session moved on meanwhile." in page.text_content(".cf-notice")
    page.click(".cf-notice-close")
    assert page.query_selector(".cf-notice") is None


@in_both_schemes
def test_the_colours_follow_the_system_until_the_reader_chooses(page):
    page.goto("/")
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == page.scheme
    toggle = page.locator("[data-theme-toggle]")
    assert toggle.get_attribute("title") == "Colours: as the system"
    toggle.click()
    assert page.evaluate(theme) == "light"
    toggle.click()
    page.reload()
    assert (page.evaluate(theme), toggle.get_attribute("title")) == ("dark", "Colours: dark")
    toggle.click()
    assert page.evaluate(theme) == page.scheme


def test_the_menu_works_by_keyboard_and_signs_out(page):
    page.context.clear_cookies()
    sign_in(page)
    page.focus(".cf-user")
    page.keyboard.press("Enter")
    assert page.is_visible("text=Sign out")
    page.keyboard.press("Escape")
    assert not page.is_visible("text=Sign out")
    assert page.evaluate("document.activeElement.className") == "cf-user"
    page.keyboard.press("Enter")
    page.click("text=Sign out")
    page.wait_for_url("**/login")


def test_the_first_tab_skips_the_navigation(page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"


def test_annotators_see_their_part_only_and_are_told_what_they_may_not(page):
    page.context.clear_cookies()
    sign_in(page, username="mia")
    assert page.locator(".cf-nav-link").all_text_contents() == ["Tasks"]
    page.click("button:has-text('Reject')")
    assert page.text_content("h1") == "Not allowed"
    assert "coordinator" in page.text_content("main")


def test_nothing_moves_after_the_first_paint(page):
    page.goto("/")
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const e of list.getEntries()) window.shift += e.value; })"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    for path in ("/", "/sessions"):
        page.goto(path, wait_until="load")
        page.wait_for_timeout(300)
        assert page.evaluate("window.shift") < 0.01


def test_no_page_scrolls_sideways(page):
    for path in ("/", "/sessions", "/account"):
        page.goto(path)
        for width in (390, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert page.evaluate(fits), (path, width)


CONTRASTS = """() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const linear = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!text || !box.width || box.width < 2 || getComputedStyle(element).visibility === "hidden") continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${element.tagName}.${element.className} ${contrast.toFixed(2)} ${element.textContent.trim().slice(0, 30)}`);
  }
  return found;
}"""


@in_both_schemes
def test_every_text_has_enough_contrast(page):
    for path in ("/", "/sessions", "/sessions?empty=1", "/account", "/nowhere"):
        page.goto(path)
        page.wait_for_timeout(250)
        assert page.evaluate(CONTRASTS) == [], path
    page.context.clear_cookies()
    page.goto("/login")
    assert page.evaluate(CONTRASTS) == []


NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
  .filter((e) => e.checkVisibility() && !e.ariaHidden)
  .filter((e) => !/\\w/.test(e.ariaLabel || e.textContent || [...(e.labels ?? [])].map((l) => l.textContent).join("")))
  .map((e) => e.outerHTML)"""


def test_every_control_has_a_name(page):
    for path in ("/", "/sessions", "/account"):
        page.goto(path)
        assert page.evaluate(NAMELESS) == [], path


def test_pages_work_without_scripts(chromium_browser, gallery_url):
    context = chromium_browser.new_context(base_url=gallery_url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "/sessions")
    assert page.locator(".cf-table tbody tr").count() == 25
    page.click(".cf-user")
    page.click("text=Sign out")
    page.wait_for_url("**/login")
    context.close()
