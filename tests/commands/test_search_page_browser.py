"""The page of a search in headless Chromium, opened from disk without a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.commands.test_search_page import written
from tests.reporting.test_page_browser import AXE, CHROMIUM, FLAGS, WIDTHS, Opened

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Open the page; at the end, whatever was done there, nothing was complained of or asked."""
    noted: list[str] = []
    contexts = []
    file = tmp_path / "found.html"
    file.write_text(written(limit=0.1, count=5), encoding="utf-8")

    def open_page(width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noted.append(message.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        page.on("requestfailed", lambda request: noted.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert noted == []


def shown(page: Page) -> str:
    """Name, rank, distance and verdict of what is large."""
    place = page.get_by_role("dialog")
    parts = [place.locator(one).inner_text() for one in ("h2", ".rank", ".distance", ".verdict-of")]
    return " ".join(parts)


def focused(page: Page, rank: int) -> None:
    """Wait for the focus, which returns to a match a moment after it is closed."""
    page.locator(f"[data-rank='{rank}']:focus").wait_for()


def test_a_match_is_shown_large(opened: Opened) -> None:
    page = opened()
    page.get_by_role("button", name="Rank 3").click()
    assert shown(page) == "camera/2.png 3 0.2000 not nearer than 0.1000"
    large = page.get_by_role("dialog").get_by_role("img", name="Rank 3: camera/2.png")
    small = page.get_by_role("button", name="Rank 3", include_hidden=True).locator("img")
    assert large.get_attribute("src") == small.get_attribute("src")
    assert large.evaluate("image => image.naturalWidth") > 0
    assert page.get_by_role("dialog").get_by_role("img", name="Query").count() == 2


def test_the_keyboard_does_all_of_it(opened: Opened) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the matches"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert shown(page) == "camera/0.png 1 0.0000 nearer than 0.1000"
    page.keyboard.press("ArrowLeft")  # there is nothing nearer
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown(page).startswith("camera/2.png 3")
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    focused(page, rank=3)
    page.keyboard.press("Space")
    page.get_by_role("button", name="Farther").click()
    assert shown(page).startswith("camera/3.png 4")
    page.get_by_role("button", name="Close").click()
    focused(page, rank=4)


@pytest.mark.parametrize("width", [*WIDTHS.values(), 320])
def test_nothing_is_wider_than_the_window(opened: Opened, width: int) -> None:
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Rank 2").click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_axe_finds_nothing(opened: Opened, scheme: Literal["light", "dark"], width: int) -> None:
    assert AXE.is_file(), "npm install --no-save --prefix .browser axe-core"
    page = opened(width, scheme)
    page.add_script_tag(path=AXE)
    for open_first in (False, True):
        if open_first:
            page.get_by_role("button", name="Rank 1").click()
        violations = page.evaluate("axe.run().then(found => found.violations)")
        named = [(found["id"], found["impact"], found["nodes"][0]["html"]) for found in violations]
        assert named == []
