"""The real dashboard over the real API in a real browser, with the story's data; takes the README's screenshots."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from dashboard.launch import command
from services.commands.demo import free_port
from tests.support.story import BAD, Story

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
WIDE, NARROW = 1400, 800
MAIN = "[data-testid=stMainBlockContainer]"

pytestmark = [pytest.mark.shadow, pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def pages(story: Story) -> Iterator[str]:
    """The dashboard's address, over `quantwatch up` on the story's store."""
    api, port = free_port(), free_port()
    up = [sys.executable, "-m", "services", "up", "--plan", str(story.plan_file), "--db", story.url]
    service = subprocess.Popen([*up, "--no-shadow", "--port", str(api), "--dashboard-port", "0"])
    board = subprocess.Popen(command(port, f"http://127.0.0.1:{api}"), stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=9), trust_env=False, timeout=60) as http:
            http.get(f"http://127.0.0.1:{api}/v1/health/ready").raise_for_status()
            http.get(f"http://127.0.0.1:{port}/_stcore/health").raise_for_status()
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in (board, service):
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """An empty page in Chromium."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


@pytest.mark.parametrize(
    ("page", "path", "shows"),
    [
        ("now", "/", BAD),
        ("alert", "/alert", "quantization"),
        ("slices", f"/slices?variant={BAD}", "tools"),
        ("pairs", f"/pairs?variant={BAD}", "first difference at character"),
    ],
)
def test_every_page_shows_the_story_at_two_widths(pages: str, tab: Page, page: str, path: str, shows: str) -> None:
    for width in (WIDE, NARROW):
        tab.set_viewport_size({"width": width, "height": 1300})
        tab.goto(f"{pages}{path}")
        tab.get_by_text(shows).first.wait_for(timeout=60_000)
        tab.wait_for_timeout(2_500)
        assert tab.locator("[data-testid=stException]").count() == 0
        assert tab.locator(MAIN).inner_text().strip()
        if os.environ.get("QUANTWATCH_SCREENSHOTS") and width == WIDE:
            tab.screenshot(path=str(SHOTS / f"{page}.png"))
