"""The dashboard in a real browser: what AppTest cannot see, because links and emoji are found by the front end."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from dashboard.launch import command
from tests.support.fake_api import free_port

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]
MAIN = "[data-testid=stMainBlockContainer]"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]


@pytest.fixture(scope="module")
def address(world: str) -> Iterator[str]:
    """A running dashboard over the hostile world."""
    port = free_port()
    process = subprocess.Popen(command(port, f"{world}/hostile"), stdout=subprocess.DEVNULL)
    try:
        yield awaited(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def awaited(address: str) -> str:
    """The address, once the server there is healthy."""
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(transport=transport, trust_env=False) as http:
        http.get(f"{address}/_stcore/health").raise_for_status()
    return address


@pytest.fixture
def tab() -> Iterator[Page]:
    """An empty page in Chromium."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def test_hostile_names_and_texts_do_nothing_in_a_browser(address: str, tab: Page) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("dialog", lambda dialog: pytest.fail(dialog.message))

    tab.goto(f"{address}/")
    tab.wait_for_selector(f"{MAIN} [data-testid=stMetric]", timeout=30_000)
    check(tab)
    tab.click(f"{MAIN} [data-testid=stPageLink-NavLink] >> nth=0")
    tab.wait_for_selector(f"{MAIN} [data-testid=stExpander]", timeout=30_000)
    assert "alert=al-0117" in tab.url
    check(tab)

    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def check(tab: Page) -> None:
    """Nothing on the page leads outside, runs, or is drawn as anything but its characters."""
    assert tab.locator(f"{MAIN} a:is([href*='//'], [href^='mailto:'])").count() == 0
    assert tab.locator(f"{MAIN} :is(script, img, .katex, [data-testid=stMarkdownContainer] b)").count() == 0
    words = tab.locator(f"{MAIN} [data-testid=stAlert]").first.inner_text().replace("\u2060", "")
    assert "<script>alert('x')</script> **bold** :smile: $x^2$ [a](https://evil.example) www.evil" in words
