"""The other pages in a real browser: signing in and out, what a role sees, and what the browser refuses."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.browser


def sign_in(page: Any, service: Any, key: str, path: str = "/") -> None:
    page.goto(service.pages + path)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_key_that_is_none_is_refused_with_the_servers_sentence(service: Any, page: Any) -> None:
    sign_in(page, service, "pmt_wrong")
    page.get_by_text("The key is not valid").wait_for()
    assert page.get_by_role("link", name="Review").count() == 0


def test_a_viewer_sees_prompts_and_nothing_to_review(service: Any, page: Any) -> None:
    sign_in(page, service, service.make_person("Vera", "viewer"))
    page.get_by_role("heading", name="Runs").wait_for()
    assert page.get_by_role("link", name="Review").count() == 0
    assert page.get_by_role("link", name="Prompts").count() == 1


def test_a_reload_a_second_tab_and_a_shared_link_stay_signed_in_until_the_sign_out(service: Any, page: Any) -> None:
    sign_in(page, service, service.make_person("Dana", "reviewer"), "/prompts")
    page.get_by_role("heading", name="Prompts").wait_for()
    page.reload()
    page.get_by_role("heading", name="Prompts").wait_for()
    tab = page.context.new_page()
    tab.goto(service.pages + "/runs")
    tab.get_by_role("heading", name="Runs").wait_for()
    linked = page.context.new_page()
    linked.goto("data:text/html,<a href='" + service.pages + "/prompts?prompt=x'>link</a>")  # a page of another site
    linked.get_by_text("link").click()
    linked.get_by_text("Signed in as").wait_for()

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    page.get_by_text("You are signed out.").wait_for()
    tab.get_by_role("link", name="Prompts").click()
    tab.get_by_text("Your session has ended. Sign in again.").wait_for()
    assert page.get_by_label("API key").input_value() == ""
    page.goto(service.pages + "/prompts")
    page.get_by_label("API key").wait_for()


def test_the_cookie_holds_a_token_and_no_script_reads_it(service: Any, page: Any) -> None:
    key = service.make_person("Eve", "reviewer")
    sign_in(page, service, key)
    page.get_by_role("heading", name="Review").first.wait_for()
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"].startswith("promptuary")]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert cookie["value"].startswith("pms_")
    assert page.evaluate("document.cookie").count("promptuary") == 0
    assert page.evaluate("JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)])").count(key) == 0


def test_the_owner_sees_their_sessions_and_ends_one(service: Any, browser: Any, page: Any) -> None:
    key = service.make_person("Frank", "reviewer")
    sign_in(page, service, key, "/account")
    page.get_by_role("heading", name="Open sessions").wait_for()
    elsewhere = browser.new_context(user_agent="Another machine")
    other = elsewhere.new_page()
    sign_in(other, service, key, "/prompts")
    other.get_by_role("heading", name="Prompts").wait_for()

    page.reload()
    page.get_by_text("Another machine").wait_for()
    page.get_by_text("this browser").wait_for()
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_text("The session has ended.").wait_for()
    other.reload()
    other.get_by_text("Your session has ended. Sign in again.").wait_for()
    elsewhere.close()


def test_a_one_time_code_signs_in_once(service: Any, page: Any, browser: Any) -> None:
    code = service.make_code(service.make_person("Grace", "reviewer"))
    sign_in(page, service, code, "/prompts")
    page.get_by_role("heading", name="Prompts").wait_for()
    elsewhere = browser.new_context().new_page()
    sign_in(elsewhere, service, code)
    elsewhere.get_by_text("The key is not valid").wait_for()
    elsewhere.context.close()


def test_a_service_key_signs_nobody_in(service: Any, page: Any) -> None:
    sign_in(page, service, service.make_key("an app", "service"))
    page.locator("#problem").wait_for()
    assert page.get_by_role("button", name="Sign in").is_visible()


def test_a_page_on_another_port_cannot_use_the_session(service: Any, page: Any) -> None:
    """Cookies are shared by ports, and SameSite ignores them; the origin is not shared."""
    sign_in(page, service, service.make_person("Heidi", "reviewer"), "/prompts")
    page.get_by_role("heading", name="Prompts").wait_for()
    page.goto(service.api + "/docs")  # another port of the same machine
    script = """async (address) => await new Promise((done) => {
        const socket = new WebSocket(address.replace("http", "ws") + "/_stcore/stream", ["streamlit"]);
        socket.onopen = () => done("open");
        socket.onerror = () => done("refused");
    })"""
    assert page.evaluate(script, service.pages) == "refused"


def test_a_key_that_is_revoked_signs_out(service: Any, page: Any) -> None:
    key = service.make_person("Ivan", "reviewer")
    sign_in(page, service, key)
    page.get_by_role("link", name="Prompts").wait_for()
    service.call(service.make_key("an admin", "admin"), "DELETE", f"/keys/{key.split('_')[1]}")
    page.get_by_role("link", name="Prompts").click()
    page.get_by_text("Your session has ended. Sign in again.").wait_for()


def test_a_prompt_is_shown_with_its_labels_history(service: Any, page: Any) -> None:
    author = service.make_person("an author", "author")
    for text in ("Sort it: {{ticket}}", "Sort the ticket: {{ticket}}"):
        version = {"type": "text", "template": text, "variables": {"ticket": {"type": "string"}}}
        service.call(author, "POST", "/prompts/browser.triage/versions", version)
    for number in (1, 2):
        body = {"version": number, "reason": f"reason {number}"}
        service.call(author, "PUT", "/prompts/browser.triage/labels/production", body)
    sign_in(page, service, author, "/prompts?prompt=browser.triage")
    page.get_by_text("Sort the ticket: {{ticket}}").wait_for()
    page.get_by_role("tab", name="Label history").click()
    page.get_by_test_id("stDataFrame").filter(visible=True).first.wait_for()


def test_two_versions_are_compared_and_their_content_stays_text(service: Any, page: Any) -> None:
    author = service.make_person("a second author", "author")
    for text in ("Sort it: {{ticket}}", "Sort it: {{ticket}}\n![x](http://elsewhere.test/x.png) <b>in</b> {{language}}"):
        service.call(author, "POST", "/prompts/browser.compared/versions", {"type": "text", "template": text})
    foreign_requests: list[str] = []
    page.on("request", lambda request: foreign_requests.append(request.url) if "elsewhere" in request.url else None)
    sign_in(page, service, author, "/prompts?prompt=browser.compared")
    page.get_by_role("tab", name="Compare").click()
    page.get_by_text("Breaks programs that work with v1:").wait_for()
    page.get_by_text("the variable 'language' is new and must be given").wait_for()
    code_blocks = page.get_by_test_id("stCode").filter(visible=True)
    assert "+![x](http://elsewhere.test/x.png) <b>in</b> {{language}}" in code_blocks.first.inner_text()
    page.get_by_text("Side by side").click()
    page.get_by_text("@@ -1 +1,2 @@").wait_for(state="detached")
    assert code_blocks.first.inner_text().strip() == "Sort it: {{ticket}}"
    assert "tab=Compare" in page.url
    assert foreign_requests == []


def test_the_pages_load_from_their_own_server_only(service: Any, page: Any) -> None:
    violations: list[str] = []
    page.on("console", lambda message: violations.append(message.text) if "Content Security Policy" in message.text else None)
    sign_in(page, service, service.make_person("somebody else", "reviewer"))
    page.get_by_role("link", name="Prompts").wait_for()
    policy = httpx.get(service.pages).headers["content-security-policy"]
    assert "img-src 'self' data: blob:" in policy
    assert "default-src 'self'" in policy
    assert violations == []


def test_an_image_is_loaded_when_it_is_asked_for_and_not_before(service: Any, page: Any) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    urls = [f"data:image/png;base64,{pixel}", "https://img.invalid/a.png"]
    parts = [{"type": "text", "text": "What is it?"}, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": 7}'}}
    template = [
        {"role": "user", "content": parts, "name": "ana"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "found", "tool_call_id": "call_1"},
    ]
    author = service.make_person("an author of images", "author")
    service.call(author, "POST", "/prompts/browser.images/versions", {"type": "chat", "template": template})
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    sign_in(page, service, author, "/prompts?prompt=browser.images")
    page.get_by_text("What is it?").wait_for()
    page.get_by_text("calls find").wait_for()
    assert page.locator("img[src^='data:image/png']").count() == 0
    page.get_by_role("button", name="Show image").click()
    page.locator("img[src^='data:image/png']").wait_for()
    assert page.locator("img[src^='data:image/png']").evaluate("image => image.naturalWidth") == 1
    assert page.get_by_role("link", name="Open image at its address").get_attribute("href") == urls[1]
    assert not any("img.invalid" in url for url in requested)
