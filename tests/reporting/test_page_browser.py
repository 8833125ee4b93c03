"""The page in headless Chromium, opened from disk without a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parents[2] / ".browser/node_modules/axe-core/axe.min.js"
# Root in a container has no sandbox; the rest keeps Chromium from calling home.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDTHS = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Opened(Protocol):
    """The page of the tests in a window of its own."""

    def __call__(self, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page: ...


@pytest.fixture
def opened(browser: Browser, reported: Path) -> Iterator[Opened]:
    """Open the page; at the end, whatever was done there, nothing was complained of or asked."""
    noted: list[str] = []
    contexts = []

    def open_page(width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            offline=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noted.append(message.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        page.on("requestfailed", lambda request: noted.append(request.url))
        page.goto((reported / "reports/index.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert noted == []


def test_nothing_is_asked_of_the_network(opened: Opened) -> None:
    page = opened()
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith("data:") for name in loaded)


def test_images_load(opened: Opened) -> None:
    page = opened()
    page.wait_for_function("[...document.images].every(image => image.complete)")
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) > 100
    assert min(widths) > 0


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_no_horizontal_scroll(opened: Opened, width: int, media: str) -> None:
    page = opened(width)
    page.emulate_media(media="print" if media == "print" else "screen")
    # Paper is never as narrow as a phone.
    if media == "screen" or width > 700:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def column(page: Page, table: int, number: int) -> list[str]:
    rows = f"[...document.querySelectorAll('table.sortable')[{table}].tBodies[0].rows]"
    found: list[str] = page.evaluate(f"{rows}.map(row => row.cells[{number}].dataset.value)")
    return found


@pytest.mark.parametrize(
    ("head", "number"),
    [("Rank-1, paper", 1), ("Rank-5, rebuilt", 5), ("mAP, diff.", 12), ("mAP against", 13)],
)
def test_sorting(opened: Opened, head: str, number: int) -> None:
    page = opened()
    before = column(page, 0, number)
    button = page.locator("table.sortable").first.get_by_role("button", name=head)
    for expected, sign in (("descending", -1), ("ascending", 1)):
        button.click()
        assert page.locator("th[aria-sort]").count() == 1
        assert page.locator("th[aria-sort]").get_attribute("aria-sort") == expected
        figures = [float(value) for value in column(page, 0, number) if value]
        assert figures == sorted(figures, key=lambda figure: sign * figure)
        # A row without a figure is last, whatever the direction.
        assert "" not in column(page, 0, number)[: len(figures)]
    assert sorted(before) == sorted(column(page, 0, number))


def test_sorting_by_keyboard(opened: Opened) -> None:
    page = opened()
    page.locator("table.sortable").first.get_by_role("button", name="mAP, paper").focus()
    page.keyboard.press("Enter")
    assert column(page, 0, 10)[0] == "79.70"


@pytest.mark.parametrize(
    ("name", "file"), [("Copy CSV", "table1.csv"), ("Copy LaTeX", "table1.tex")]
)
def test_copying_a_table(opened: Opened, reported: Path, name: str, file: str) -> None:
    page = opened()
    page.get_by_role("button", name=name).first.click()
    page.get_by_text("Copied: Table 1").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == (reported / "reports/tables" / file).read_text()


def test_copying_without_the_clipboard_api(opened: Opened) -> None:
    page = opened()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    page.get_by_role("button", name="copy: dvc repro evaluate@market1501-eca").click()
    page.get_by_text("Copied: dvc repro").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "dvc repro evaluate@market1501-eca"


def test_the_keyboard_reaches_the_tables_first(opened: Opened) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the tables"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Copy CSV"


def test_paper_is_white_whatever_the_screen(opened: Opened) -> None:
    page = opened(scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 23, 26)"
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert not page.get_by_role("button", name="Copy CSV").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_axe_finds_nothing(opened: Opened, scheme: Literal["light", "dark"], width: int) -> None:
    assert AXE.is_file(), "npm install --no-save --prefix .browser axe-core"
    page = opened(width, scheme)
    page.add_script_tag(path=AXE)
    violations = page.evaluate("axe.run().then(found => found.violations)")
    assert [(found["id"], found["impact"], found["nodes"][0]["html"]) for found in violations] == []
