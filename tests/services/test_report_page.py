"""The report of a run in a real browser: nothing runs, nothing is fetched, nothing is wider than a phone."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from databases import Ledger, outcome, product

from copydesk.model import Facts, Reason, Status
from copydesk.store import Database
from producer import htmlreport

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOST = "report.example"
WIDTHS = (320, 390, 1280)
"""A small phone, a phone, a desktop; in CSS pixels."""

EVIL = (
    "<script>parent.ran = true; fetch('https://evil.example/fetched')</script>"
    '"><img src=https://evil.example/picture onerror="parent.ran = true"><b style="background:url(//evil.example/b)">'
    " </p></article>\u202e מזל טוב \U0001f469\u200d\U0001f467 " + "Donaudampfschifffahrtsgesellschaft" * 12
)

MEASURE = """<!DOCTYPE html><link rel="icon" href="data:,"><body><script>
const widths = %s, told = {};
widths.forEach(width => {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    const wide = [...page.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > width + 0.5);
    told[width] = {
      scrolls: root.scrollWidth, wide: wide.map(one => one.outerHTML.slice(0, 80)),
      heading: page.querySelector("h1").innerText,
      scripts: page.scripts.length, foreign: page.querySelectorAll("article img, article b[style]").length,
      items: page.querySelectorAll("article").length,
      marks: [...page.querySelectorAll("article mark")].map(mark => mark.innerText),
      bars: [...page.querySelectorAll(".outcome rect")].map(bar => Math.round(bar.getBoundingClientRect().width)),
      paper: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    };
    if (Object.keys(told).length == widths.length) {
      told.ran = window.ran === true;
      document.body.textContent = JSON.stringify(told);
    }
  };
  frame.src = "/report.html";
  document.body.append(frame);
});
</script>"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)}")
    return found


@pytest.fixture
def report(sqlite_database: Database, tmp_path: Path) -> Path:
    """The page of a run with English, Chinese and hostile texts, ready, held and failed."""
    ledger = Ledger(sqlite_database)
    chinese = replace(
        product(2), facts=Facts("保温杯", attributes=(("容量", "500 毫升"),)), description="容量500毫升的保温杯。"
    )
    evil = replace(product(3), facts=Facts(EVIL, attributes=((EVIL, EVIL),)), description=f"<p>{EVIL}</p>")
    ledger.take_in(product(1), chinese, evil, product(4))
    run = ledger.plan().run
    made = {
        "sku1": ("ready", "A new text.", ()),
        "sku2": ("held", "容量600毫升的保温杯。", (Reason("facts.numbers", 'says "600毫升"', "600毫升"),)),
        "sku3": ("held", EVIL, (Reason("shape.html", EVIL, "<script>"), Reason(EVIL, EVIL, EVIL))),
        "sku4": ("failed", "", (Reason("engine.failed", "the model could not answer"),)),
    }
    for claimed in ledger.claim(run):
        status, text, reasons = made[claimed.sku]
        ledger.settle(replace(outcome(claimed), status=Status(status), text=text, reasons=reasons))
    ledger.close_chunks()
    ledger.finalize(run)
    htmlreport.write(sqlite_database, run, tmp_path / "report.html")
    return tmp_path / "report.html"


class Proxy(ThreadingHTTPServer):
    """All that the browser asks for goes by here: two pages are answered, everything is written down."""

    daemon_threads = True

    def __init__(self, pages: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages = pages
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path)
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page or b"")

    do_CONNECT = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def proxy(report: Path) -> Iterator[Proxy]:
    pages = {"report.html": report.read_bytes(), "measure.html": (MEASURE % list(WIDTHS)).encode()}
    with Proxy({f"http://{HOST}/{name}": page for name, page in pages.items()}) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def browse(browser: str, folder: Path, *arguments: str) -> str:
    flags = (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
        "--no-first-run", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}",
    )  # fmt: skip
    done = subprocess.run([browser, *flags, *arguments], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def measured(browser: str, folder: Path, proxy: Proxy, *arguments: str) -> dict[str, Any]:
    through = f"--proxy-server=http://127.0.0.1:{proxy.server_address[1]}"
    dom = browse(
        browser, folder, through, "--virtual-time-budget=20000", *arguments, "--dump-dom", f"http://{HOST}/measure.html"
    )
    found = re.search(r"<body>(\{.*\})", dom, re.DOTALL)
    assert found, dom
    told: dict[str, Any] = json.loads(
        re.sub(r"&(amp|lt|gt);", lambda one: {"amp": "&", "lt": "<", "gt": ">"}[one[1]], found[1])
    )
    return told


def test_the_page_fits_phone_and_desktop_runs_nothing_and_fetches_nothing(
    browser: str, proxy: Proxy, tmp_path: Path
) -> None:
    told = measured(browser, tmp_path, proxy)

    assert told.pop("ran") is False
    assert set(told) == {str(width) for width in WIDTHS}
    for width, page in told.items():
        assert (page["scrolls"], page["wide"]) == (int(width), []), width
        assert (page["scripts"], page["foreign"], page["items"]) == (0, 0, 4)
        assert page["heading"] == "1 of 4 descriptions are ready"
        assert "".join(page["marks"]).startswith("600毫升1<script>1")
        assert sorted(page["bars"], reverse=True)[0] > sum(page["bars"]) * 0.45
    ours = {f"http://{HOST}/{name}" for name in ("measure.html", "report.html")}
    assert {path for path in proxy.asked if HOST in path} == ours
    assert [path for path in proxy.asked if "evil" in path] == []


def test_the_page_is_dark_where_the_reader_wants_that(browser: str, proxy: Proxy, tmp_path: Path) -> None:
    assert measured(browser, tmp_path, proxy)["390"]["paper"] == "rgb(255, 255, 255)"
    dark = measured(browser, tmp_path, proxy, "--blink-settings=preferredColorScheme=0")
    assert dark["390"]["paper"] == "rgb(21, 24, 27)"


def test_the_file_opens_from_the_disk_and_prints(browser: str, report: Path, tmp_path: Path) -> None:
    assert "1 of 4 descriptions are ready" in browse(browser, tmp_path, "--dump-dom", report.as_uri())
    browse(browser, tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", report.as_uri())
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
