"""The page in headless Chromium, opened from disk without a network."""

from collections.abc import Iterator
from pathlib import Path

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


def opened(browser: Browser, root: Path, width: int = 1280, scheme: str = "light") -> Page:
    """The page, with every message of the console and every request noted on it."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        offline=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    noted: list[str] = []
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.on("requestfailed", lambda request: noted.append(request.url))
    page.goto((root / "reports/index.html").as_uri())
    assert noted == []
    return page


def test_nothing_is_asked_of_the_network(browser: Browser, reported: Path) -> None:
    page = opened(browser, reported)
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith("data:") for name in loaded)


def test_images_load(browser: Browser, reported: Path) -> None:
    page = opened(browser, reported)
    page.wait_for_function("[...document.images].every(image => image.complete)")
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) > 100
    assert min(widths) > 0


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_no_horizontal_scroll(browser: Browser, reported: Path, width: int, media: str) -> None:
    page = opened(browser, reported, width)
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
def test_sorting(browser: Browser, reported: Path, head: str, number: int) -> None:
    page = opened(browser, reported)
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


def test_sorting_by_keyboard(browser: Browser, reported: Path) -> None:
    page = opened(browser, reported)
    page.locator("table.sortable").first.get_by_role("button", name="mAP, paper").focus()
    page.keyboard.press("Enter")
    assert column(page, 0, 10)[0] == "79.70"


@pytest.mark.parametrize(
    ("name", "file"), [("Copy CSV", "table1.csv"), ("Copy LaTeX", "table1.tex")]
)
def test_copying_a_table(browser: Browser, reported: Path, name: str, file: str) -> None:
    page = opened(browser, reported)
    page.get_by_role("button", name=name).first.click()
    page.get_by_text("Copied: Table 1").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == (reported / "reports/tables" / file).read_text()


def test_copying_without_the_clipboard_api(browser: Browser, reported: Path) -> None:
    page = opened(browser, reported)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    page.get_by_role("button", name="copy: dvc repro evaluate@market1501-eca").click()
    page.get_by_text("Copied: dvc repro").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "dvc repro evaluate@market1501-eca"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_axe_finds_nothing(browser: Browser, reported: Path, scheme: str, width: int) -> None:
    assert AXE.is_file(), "npm install --no-save --prefix .browser axe-core"
    page = opened(browser, reported, width, scheme)
    page.add_script_tag(path=AXE)
    violations = page.evaluate("axe.run().then(found => found.violations)")
    assert [(found["id"], found["impact"], found["nodes"][0]["html"]) for found in violations] == []
