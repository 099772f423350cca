"""The console's page is on the user's machine, and so is every page of the web: none of them may use it."""

from __future__ import annotations

import re

import pytest

from batchdrop.cli.ui.forms import MOST_BYTES
from tests.ui.consoles import HOST, OWN, STATIC, TEMPLATES, Echo, visit

OTHER_SITES = ("cross-site", "same-site")  # same-site: another port of 127.0.0.1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "localhost:8765", "127.0.0.1", ""])
def test_another_name_for_the_machine_is_refused(host: str) -> None:
    """DNS rebinding: a name of the attacker's leads to 127.0.0.1, and its page reads answers as its own."""
    at = visit()
    for path in ("/about", "/echo?text=cell-17", "/static/console.css", "/enter"):
        response = at.client.get(path, headers={"host": host})
        assert response.status_code == 421
        assert "cell-17" not in response.text
    assert at.client.post("/echo/change", headers={"host": host, "origin": f"http://{host}"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": f"{OWN}.evil.example"},
        {"origin": OWN, "sec-fetch-site": "cross-site"},
        {"origin": OWN, "sec-fetch-site": "same-site"},
    ],
)
def test_another_site_changes_nothing(headers: dict[str, str]) -> None:
    """CSRF: another page posts a form, and the browser adds the cookie."""
    echo = Echo()
    at = visit(echo.page)
    response = at.client.post("/echo/change", data={"row": "1"}, headers=headers)
    assert response.status_code == 403
    assert echo.changes == []
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert at.client.request(method, "/echo/change", headers=headers).status_code == 403
    own = at.client.post("/echo/change", data={"row": "1"}, headers={"origin": OWN, "sec-fetch-site": "same-origin"})
    assert own.status_code == 200
    assert echo.changes == [{"row": "1"}]


@pytest.mark.parametrize("site", OTHER_SITES)
def test_another_site_loads_nothing(site: str) -> None:
    """Another page loads ours as its script, picture or frame, to learn what is in it."""
    at = visit()
    for path in ("/echo", "/static/console.js"):
        assert at.client.get(path, headers={"sec-fetch-site": site}).status_code == 403


def test_without_the_cookie_nothing_is_shown() -> None:
    """Another user of the machine, or a program without the token, finds the port."""
    echo = Echo()
    at = visit(echo.page, enters=False)
    for path in ("/", "/about", "/echo", "/nothing", "/enter", "/enter?token=", "/enter?token=wrong"):
        assert at.client.get(path).status_code == 401
    assert at.client.post("/echo/change", headers={"origin": OWN}).status_code == 401
    at.client.cookies.set("batchdrop-8765", "wrong")
    assert at.client.get("/about").status_code == 401
    at.client.cookies.clear()
    at.client.cookies.set("batchdrop-9999", at.access.cookie_for(at.access.entrance.partition("=")[2]) or "")
    assert at.client.get("/about").status_code == 401
    assert echo.changes == []


def test_an_address_lets_in_one_browser_once() -> None:
    """Whoever reads the address later (a history, a log, a shared screen) cannot use it."""
    first = visit(enters=False)
    used = first.access.entrance
    first.enter()
    assert first.client.get("/about").status_code == 200
    assert first.client.get(used).status_code == 200  # the same browser, again
    assert first.told == []
    first.client.cookies.clear()
    for _ in range(3):
        assert first.client.get(used).status_code == 401
    assert len(first.told) == 1  # nobody can fill the terminal
    assert first.told[0] == first.access.entrance != used
    first.enter()
    assert first.client.get("/about").status_code == 200


def test_the_cookie_is_for_no_script_and_no_other_site() -> None:
    """A script that got in could not take the cookie away, and no link of another site sends it."""
    at = visit(enters=False)
    cookie = at.client.get(at.access.entrance).headers["set-cookie"]
    assert cookie.startswith("batchdrop-8765=")  # 127.0.0.1 has one jar for all ports
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "samesite=strict", "path=/"}


def test_every_response_forbids_what_the_pages_do_not_need() -> None:
    """Inline scripts and styles, other hosts, frames, guessed types, referrers, copies on disk."""
    at = visit()
    paths = ("/", "/about", "/echo", "/echo/wrong", "/echo/broken", "/nothing", "/static/console.css", "/enter?token=x")
    responses = [at.client.get(path) for path in paths]
    responses += [at.client.get("/about", headers={"host": "evil.example"}), at.client.post("/echo/change")]
    assert {one.status_code for one in responses} == {200, 303, 403, 404, 409, 421, 500}
    for response in responses:
        policy = dict(part.split(maxsplit=1) for part in response.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert {value for name, value in policy.items() if value != "'none'"} == {"'self'"}
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert response.headers["cache-control"] in {"no-store", "no-cache"}


def test_templates_and_styles_have_nothing_inline_and_nothing_foreign() -> None:
    """What the policy would refuse is not there, and nothing is marked as safe."""
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on|javascript:|\|\s*safe|autoescape")
    foreign = re.compile(
        r"""(?:src|href|action|hx-\w+)=["'](?:\w+:)?//|@import|url\(|https?://(?!www\.w3\.org/2000/svg)"""
    )
    for path in [*TEMPLATES.rglob("*.j2"), *STATIC.glob("*.js"), *STATIC.glob("*.css"), *STATIC.glob("*.svg")]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".j2":
            assert inline.search(text) is None, path
        assert foreign.search(text) is None, path


def test_text_stays_text() -> None:
    """XSS: markup in a value, and characters that hide or turn text, are shown as they are."""
    at = visit()
    shown = at.client.get("/echo", params={"text": "<img src=x onerror=alert(1)>\u202ecod.exe\x00\" '"}).text
    assert "<img src=x" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;\\u202ecod.exe\\u0000&#34; &#39;" in shown
    wrong = at.client.get("/echo/wrong")
    assert wrong.status_code == 409
    assert "&lt;b&gt;first&lt;/b&gt;" in wrong.text


@pytest.mark.parametrize("name", ['a";x="b.html', "a\r\nset-cookie: x=1", "../../x", "注文.csv", "a;b%0d.html"])
def test_what_is_downloaded_is_never_shown(name: str) -> None:
    """An answer with a script in it is saved, under a name that leads nowhere."""
    headers = visit().client.get("/echo/file", params={"name": name}).headers
    disposition = headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[\w.%~-]+", disposition)
    assert "set-cookie" not in headers
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["../guard.py", "%2e%2e/guard.py", "..%2fguard.py", "/etc/passwd"])
def test_static_files_stay_in_their_folder(path: str) -> None:
    """A path escapes from the folder that is served."""
    at = visit()
    response = at.client.get(f"/static/{path}")
    assert response.status_code == 404
    assert "class Guard" not in response.text


def test_a_form_is_a_form_and_has_an_end() -> None:
    """Another type of body is refused, and so is one that would fill the memory."""
    echo = Echo()
    at, own = visit(echo.page), {"origin": OWN}
    assert at.client.post("/echo/change", json={"row": 1}, headers=own).status_code == 415
    assert at.client.post("/echo/change", data={"row": "x" * MOST_BYTES}, headers=own).status_code == 413
    assert echo.changes == []
    assert HOST in OWN
