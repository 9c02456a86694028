"""The page itself, in a browser without a window: clicked through as people do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from empiarreader import EmpiarEntry
from empiarreader.browsing.server import EntryServer
from empiarreader.cli import main
from mrc_vectors import mrc_bytes
from perc_archive import Archive

pytestmark = pytest.mark.full

HOSTILE = (
    "<img src=x onerror=document.title='PWNED'>.mrc",
    "<script>document.title='PWNED'<-script>.mrc",
    "a b#1?x&y=2 'q\"q.mrc",
    "Bücher_µm_漢字.mrc",
    "100%25 %2e%2e%2f.mrc",
    "javascript:alert(1).mrc",
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1400,900",
)  # fmt: skip


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(10.0, 2.0, shape).astype(np.float32)


class Browser:
    """A browser with the page open; finds things by what they say."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(one => one.textContent)", selector
        )
        return found

    def until(self, what: object) -> None:
        WebDriverWait(self.driver, 30, ignored_exceptions=[Exception]).until(lambda _: what())  # type: ignore[operator]

    def row(self, name: str) -> WebElement:
        return next(
            row
            for row in self.all(".row")
            if row.find_element(By.CSS_SELECTOR, ".name").get_property("textContent") == name
        )

    def enter(self, name: str, part: str = ".name") -> None:
        """Click on a row, or a part of it; rows are drawn anew whenever the list moves."""

        def click() -> bool:
            self.row(name).find_element(By.CSS_SELECTOR, part).click()
            return True

        self.until(click)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium
    assert chromedriver, "tests/support/programs.sh installs both"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    folder = tmp_path_factory.mktemp("browser")
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield browser
    browser.quit()


@pytest.fixture
def files(archive: Archive) -> dict[str, bytes | Path]:
    found: dict[str, bytes | Path] = {
        **{
            f"data/micrographs/m{k:02}.mrc": mrc_bytes(_noise(128, 160), voxel_size=(2.0, 2.0, 2.0))
            for k in range(6)
        },
        "data/micrographs/broken.mrc": b"this is no image",
        "data/micrographs/notes.txt": b"notes",
        **{f"data/odd names/{name}": mrc_bytes(_noise(16, 16)) for name in HOSTILE},
    }
    record = {
        "title": "Title <img src=x onerror=document.title='PWNED'>",
        "entry_doi": "10.6019/EMPIAR-10943",
        "dataset_size": "305.5 GB",
        "imagesets": [
            {"name": "<b>Set</b>", "directory": "data/micrographs", "category": "micrographs - single frame"}
        ],
    }
    archive.add_entry(10943, found, record)
    return found


@pytest.fixture
def page(files: dict[str, bytes | Path], driver: webdriver.Chrome) -> Iterator[Browser]:
    with EntryServer(EmpiarEntry(10943)) as server:
        driver.get(server.url)
        browser = Browser(driver)
        browser.complaints()
        browser.until(lambda: browser.one("#title").text)
        yield browser
        assert browser.complaints() == []
        assert "PWNED" not in driver.title


def test_the_head_says_what_the_entry_is_and_links_to_its_doi(page: Browser) -> None:
    assert page.one("#accession").text == "EMPIAR-10943"
    assert page.one("#title").text == "Title <img src=x onerror=document.title='PWNED'>"
    assert page.one("#facts a").get_attribute("href") == "https://doi.org/10.6019/EMPIAR-10943"
    assert page.texts("#imagesets button")[0].startswith("<b>Set</b>")


def test_the_tree_is_walked_by_clicks_and_listed_as_it_goes(page: Browser, archive: Archive) -> None:
    assert not archive.requests("*/data/*")
    page.enter("data")
    page.until(lambda: page.texts(".row .name") == ["micrographs", "odd names"])
    page.enter("micrographs")
    page.until(lambda: "m00.mrc" in page.texts(".row .name"))

    assert page.texts("#tree .branch.here .name") == ["micrographs"]
    assert page.texts("#tree .branch.here .number") == ["8"]
    assert page.one("#status").text.startswith("8 files · micrographs 7 · metadata 1 · about ")
    page.one("#path button").click()
    page.until(lambda: "data" in page.texts(".row .name"))
    page.all("#imagesets button")[0].click()
    page.until(lambda: "m00.mrc" in page.texts(".row .name"))


def test_pictures_appear_and_one_is_looked_at_with_its_power_spectrum(page: Browser) -> None:
    page.all("#imagesets button")[0].click()
    page.until(lambda: "m00.mrc" in page.texts(".row .name"))
    page.one("#look").click()
    page.until(lambda: len([i for i in page.all(".tile img") if i.get_property("naturalWidth") == 160]) == 6)
    assert "no MRC file" in page.one(".tile .why").text
    page.one("#look").click()
    page.enter("m03.mrc")
    page.until(lambda: len(page.all("#preview svg")) == 3)

    assert page.one("#preview h3").text == "m03.mrc"
    assert page.texts("#preview .bar-text") == ["5 nm"]
    assert page.texts("#preview svg:not(.curve) .circle-text") == ["10 Å", "7 Å", "5 Å", "4 Å"]
    image, bar = page.one("#preview svg image"), page.one("#preview .bar-line")
    assert bar.rect["width"] / image.rect["width"] == pytest.approx(50 / 320, abs=0.01)
    page.enter("notes.txt")
    page.until(lambda: "no image" in page.one("#preview .hint").text)


def test_what_is_ticked_is_saved_as_a_list_to_download(
    page: Browser, files: dict[str, bytes | Path], tmp_path: Path
) -> None:
    page.enter("data")
    page.until(lambda: len(page.all(".row")) == 2)
    page.enter("odd names")
    page.until(lambda: len(page.all(".row")) == len(HOSTILE))
    assert sorted(page.texts(".row .name")) == sorted(HOSTILE)
    page.enter(HOSTILE[2], "input")
    page.all("#path button")[1].click()
    page.until(lambda: len(page.all(".row")) == 2)
    page.enter("micrographs", "input")
    assert page.one("#count").text == "Ticked: 1 file, about 2.05 kB and 1 directory with all below"
    page.one("#save").click()
    page.until(lambda: page.one("#saved").text.startswith("Saved 9 addresses in EMPIAR-10943-search.txt"))

    folder = Path(page.driver.capabilities["chrome"]["userDataDir"]).parent
    page.until(lambda: (folder / "EMPIAR-10943-search.txt").exists())
    from click.testing import CliRunner

    saved = tmp_path / "here"
    found = str(folder / "EMPIAR-10943-search.txt")
    done = CliRunner().invoke(main, ["download", "--download", found, "--save_dir", str(saved)])
    assert done.exit_code == 0, done.output
    got = {path.name for path in saved.rglob("*") if path.is_file() and "manifest" not in path.name}
    assert HOSTILE[2] in got
    assert len(got) == 9


def test_names_made_to_do_harm_are_shown_and_do_none(page: Browser) -> None:
    page.enter("data")
    page.until(lambda: len(page.all(".row")) == 2)
    page.enter("odd names")
    page.until(lambda: len(page.all(".row")) == len(HOSTILE))
    for name in HOSTILE:
        page.enter(name)
        page.until(lambda name=name: page.one("#preview h3").text == name and page.all("#preview svg"))
    assert page.all("#list img, #preview img, script[src=x]") == []
    assert page.driver.execute_script("return document.scripts.length") == 1


def test_a_keyboard_is_enough(page: Browser) -> None:
    page.until(lambda: page.all(".row"))
    page.one("#list").click()
    page.one("#list").send_keys(Keys.HOME, Keys.ENTER)
    page.until(lambda: page.texts(".row .name") == ["micrographs", "odd names"])
    page.press(Keys.ENTER)
    page.until(lambda: "m00.mrc" in page.texts(".row .name"))
    page.press(Keys.ARROW_DOWN, Keys.SPACE, Keys.ARROW_DOWN, Keys.SPACE)
    assert page.one("#count").text.startswith("Ticked: 2 files")
    page.press("/")
    page.press("m0[1-3].mrc")
    page.until(lambda: page.texts(".row .name") == ["m01.mrc", "m02.mrc", "m03.mrc"])
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.until(lambda: page.one("#preview h3").text == "m01.mrc")
    page.press(Keys.BACKSPACE)
    page.until(lambda: page.texts(".row .name") == ["micrographs", "odd names"])


def test_files_are_found_below_and_ticked_together(page: Browser) -> None:
    page.until(lambda: page.all(".row"))
    page.one("#filter").send_keys("m0*.mrc", Keys.ENTER)
    page.until(lambda: page.one("#status").text.startswith("6 files found"))
    page.one("#all").click()
    assert page.one("#count").text.startswith("Ticked: 6 files")
    page.one("#clear").click()
    assert page.one("#count").text == "Nothing ticked"


def test_a_directory_of_20000_files_is_drawn_as_far_as_it_is_seen(
    archive: Archive, driver: webdriver.Chrome
) -> None:
    archive.add_entry(10943, {f"data/FoilHole_{k:05}.tiff": b"x" for k in range(20_000)})
    with EntryServer(EmpiarEntry(10943)) as server:
        driver.get(server.url)
        page = Browser(driver)
        page.enter("data")
        page.until(lambda: page.one("#status").text.startswith("20,000 files"))
        assert len(page.all(".row")) < 100
        page.one("#list").send_keys(Keys.END)
        page.until(lambda: "FoilHole_19999.tiff" in page.texts(".row .name"))
        page.one("#filter").send_keys("1234")
        page.until(lambda: page.one("#status").text.startswith("12 files"))


def _colour(page: Browser, selector: str) -> list[int]:
    colour: str = page.driver.execute_script(
        "return getComputedStyle(document.querySelector(arguments[0])).color", selector
    )
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def test_what_went_wrong_is_said_in_red(page: Browser, archive: Archive) -> None:
    quiet = _colour(page, "#status")
    assert max(quiet) - min(quiet) < 40
    archive.add_fault("status", match="*/data/*", status=403, times=None)
    page.enter("data")
    page.until(lambda: "403" in page.one("#status").text)
    red, green, blue = _colour(page, "#status")
    assert red > green + 80
    assert red > blue + 80
    page.complaints()  # the browser notes every answer that is an error, too


def test_names_too_long_for_the_list_are_told_apart_by_their_ends(
    archive: Archive, driver: webdriver.Chrome
) -> None:
    names = [f"FoilHole_31762264_Data_31761120_{'very_' * 30}long_{k:03}.mrc" for k in range(3)]
    archive.add_entry(10943, {f"data/{name}": b"x" for name in names})
    with EntryServer(EmpiarEntry(10943)) as server:
        driver.get(server.url)
        page = Browser(driver)
        page.enter("data")
        page.until(lambda: page.texts(".row .name") == names)
        seen = driver.execute_script(
            "return [...document.querySelectorAll('.row')].map((row) => {"
            "  const name = row.querySelector('.name'), end = name.querySelector('.end');"
            "  const rest = name.getBoundingClientRect().right - end.getBoundingClientRect().right;"
            "  return [end.textContent, end.scrollWidth <= end.clientWidth, rest, row.clientHeight];"
            "})"
        )
        for (end, fits, rest, high), name in zip(seen, names, strict=True):
            assert name.endswith(end)
            assert len(end) > 10
            assert fits
            assert rest >= 0
            assert high == 30


def test_no_name_looks_like_another(archive: Archive, driver: webdriver.Chrome) -> None:
    names = ["a\nb.mrc", "\u202egpj.mrc", "  two  spaces.mrc"]
    archive.add_entry(10943, {f"data/{name}": b"x" for name in names})
    with EntryServer(EmpiarEntry(10943)) as server:
        driver.get(server.url)
        page = Browser(driver)
        page.enter("data")
        seen = ["  two  spaces.mrc", r"\u{202e}gpj.mrc", r"a\u{a}b.mrc"]
        page.until(lambda: sorted(page.texts(".row .name")) == sorted(seen))
        page.enter(r"a\u{a}b.mrc")
        page.until(lambda: page.texts("#preview h3") == [r"a\u{a}b.mrc"])


def test_where_nothing_is_shown_the_list_says_why(page: Browser) -> None:
    page.until(lambda: page.all(".row"))
    page.one("#filter").send_keys("no such name")
    page.until(lambda: page.texts("#list .empty") == ["No name fits the filter."])


def test_on_a_telephone_everything_has_its_place(page: Browser) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.all("#imagesets button")[0].click()
        page.until(lambda: "m00.mrc" in page.texts(".row .name"))
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
        assert page.one("#list").rect["height"] > 300
        for selector in ("#look", "#everywhere", "#filter", "#save", ".row .name", ".row .size"):
            place = page.one(selector).rect
            assert place["width"] > 20, selector
            assert place["x"] + place["width"] <= 390, selector
        assert page.one(".row .name").rect["width"] > 180
        page.enter("m03.mrc")
        page.until(lambda: len(page.all("#preview svg")) == 3)
        assert page.one("#preview").rect["height"] > 200
        assert page.one("#list").rect["height"] > 120
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_has_a_light_and_a_dark_face(page: Browser, tmp_path: Path) -> None:
    seen = {}
    for face in ("light", "dark"):
        feature = [{"name": "prefers-color-scheme", "value": face}]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
        seen[face] = page.driver.execute_script(
            "const face = getComputedStyle(document.querySelector('header'));"
            "return [face.backgroundColor, face.color]"
        )
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    for face, (back, ink) in seen.items():
        brightness = [sum(json.loads(f"[{colour[4:-1]}]")) / 3 for colour in (back, ink)]
        assert (brightness[0] > brightness[1]) == (face == "light")
        assert abs(brightness[0] - brightness[1]) > 150
