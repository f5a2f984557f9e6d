"""Pages in a real browser, without network, and the genome browsers that a page may hold.

Playwright drives Debian's Chromium. tests/browsers/get.sh downloads JBrowse 2 and axe-core.
`why_no_browser` names what is missing.
"""

from __future__ import annotations

import base64
import functools
import http.server
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from support.command_line import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PACKAGES = ROOT / "tests" / "browsers" / "packages"
IGV = ROOT / "histpred" / "reports" / "igv" / "igv.min.js"
JBROWSE, AXE = PACKAGES / "react-app.umd.production.min.js", PACKAGES / "axe.min.js"
IGV_GENOMES = "https://igv.org/genomes/genomes3.json"
SCREEN = {"width": 1366, "height": 768}  # a laptop's
PHONE = {"width": 390, "height": 844}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def why_no_browser(*scripts: Path) -> str:
    """Return why no page with these scripts can be opened here; '' if one can."""
    if find_spec("playwright") is None:
        return "needs playwright"
    if not any(map(shutil.which, PROGRAMS)):
        return "needs chromium on PATH"
    if not all(script.is_file() for script in scripts):
        return "needs what tests/browsers/get.sh fetches"
    return ""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium, which can reach only this machine."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--disable-gpu", OFFLINE]
        )
        yield browser
        browser.close()


@contextmanager
def watched_page(browser: Browser) -> Iterator[Page]:
    """Open an empty page of the size of a laptop's screen.

    Afterwards, raise AssertionError if the page raised an error, wrote one to its console, or made
    a request that failed. Every request that leaves this machine fails.
    """
    faults: list[str] = []
    page = browser.new_page(viewport=SCREEN)
    page.on("pageerror", lambda error: faults.append(f"raised: {error}"))
    page.on(
        "console",
        lambda said: faults.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on("requestfailed", lambda request: faults.append(f"{request.url}: {request.failure}"))
    page.on(
        "response",
        lambda got: faults.append(f"{got.url}: {got.status}") if got.status >= 400 else None,
    )
    try:
        yield page
        assert not faults, "\n".join(faults)
    finally:
        page.close()


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves the files of a folder, whole or by byte ranges."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not (wanted and path.is_file()):
            super().do_GET()
            return
        size = path.stat().st_size
        first, end = int(wanted[1]), int(wanted[2] or size - 1) + 1
        if first >= size:
            self.send_error(416)
            return
        with open(path, "rb") as content:
            content.seek(first)
            part = content.read(end - first)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{size}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder, with byte ranges, and yield the address."""
    handler = functools.partial(_Files, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def assert_accessible(browser: Browser, path: Path, screen: dict[str, int], theme: str) -> None:
    """Assert that axe-core finds no fault on a page, and that it does not scroll sideways."""
    page = browser.new_page(viewport=screen, color_scheme=theme, bypass_csp=True)
    page.goto(path.as_uri())
    assert faults_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    page.close()


def faults_of(page: Page) -> list[str]:
    """What axe-core finds on an open page: how grave, which rule, and the first elements.

    The page's context must have been made with bypass_csp.
    """
    page.add_script_tag(path=AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['impact']}: {one['id']}: {[node['target'] for node in one['nodes'][:3]]}"
        for one in found
    ]


def open_igv(
    page: Page,
    address: str,
    session: str = "igv-session.json",
    genomes: Sequence[dict[str, str]] = (),
) -> None:
    """Open a session of a hub in igv.js, and wait until it is drawn.

    The page's JavaScript then has it as `browser`.

    Parameters
    ----------
    address
        Of the hub.
    genomes
        What IGV's server would list, for a session that only names its genome.
    """
    page.route(IGV_GENOMES, lambda route: route.fulfill(json=list(genomes)))
    _blank(page, address)
    page.add_script_tag(path=IGV)
    page.evaluate(
        """async session => {
            window.browser = await igv.createBrowser(document.body, {sessionURL: session})
            await browser.updateViews()
        }""",
        session,
    )


def igv_goes_to(page: Page, locus: str) -> None:
    """Show another place, and wait until it is drawn."""
    page.evaluate(
        "async locus => { await browser.search(locus); await browser.updateViews() }", locus
    )


def open_jbrowse(page: Page, address: str, locus: str | None = None) -> None:
    """Open the configuration of a hub in JBrowse 2, and wait until it is drawn.

    The page's JavaScript then has its root model as `state`.

    Parameters
    ----------
    address
        Of the hub.
    locus
        To begin at, in place of the configuration's.
    """
    _blank(page, address)
    page.add_script_tag(path=JBROWSE)
    page.evaluate(
        """async locus => {
            const address = new URL('jbrowse-config.json', location.href).href
            const config = await (await fetch(address)).json()
            // An embedded JBrowse leaves to its page what jbrowse-web does for each file named.
            const locate = value => {
                if (!value || typeof value !== 'object') return
                if (value.uri) value.baseUri = address
                Object.values(value).forEach(locate)
            }
            locate(config)
            if (locus) config.defaultSession.views[0].init.loc = locus
            const {createRoot, createViewState, JBrowseApp, React} = JBrowseReactApp
            window.state = createViewState({config})
            const root = document.body.appendChild(document.createElement('div'))
            createRoot(root).render(React.createElement(JBrowseApp, {viewState: state}))
        }""",
        locus,
    )
    page.wait_for_function(
        """() => {
            const view = state.session.views[0]
            const tracks = document.querySelectorAll('[data-testid^="trackRenderingContainer"]')
            return view.initialized && tracks.length === view.tracks.length &&
                [...tracks].every(track => track.querySelector('canvas') &&
                    !track.querySelector('[data-testid="loading-overlay"]'))
        }"""
    )


def jbrowse_track(page: Page, name: str) -> dict[str, float]:
    """Return the place of a track's picture on the page: x, y, width, height."""
    box = page.get_by_test_id(f"trackRenderingContainer-histpred-histpred-{name}").bounding_box()
    assert box is not None
    return box


def jbrowse_x(page: Page, contig: str, position: int) -> float:
    """Return the pixels from the left edge of JBrowse's tracks to a position."""
    return page.evaluate(
        """([refName, coord]) => {
            const view = state.session.views[0]
            return view.bpToPx({refName, coord}).offsetPx - view.offsetPx
        }""",
        [contig, position],
    )


def colours(page: Page, picture: bytes | None = None) -> Counter[tuple[int, int, int]]:
    """Count the pixels of each colour on the visible page, or in a PNG."""
    image = base64.b64encode(picture or page.screenshot()).decode()
    counts = page.evaluate(
        """async image => {
            const blob = await (await fetch(`data:image/png;base64,${image}`)).blob()
            const bitmap = await createImageBitmap(blob)
            const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
            context.drawImage(bitmap, 0, 0)
            const {data} = context.getImageData(0, 0, bitmap.width, bitmap.height)
            const counts = {}
            for (let i = 0; i < data.length; i += 4) {
                const key = `${data[i]},${data[i + 1]},${data[i + 2]}`
                counts[key] = (counts[key] ?? 0) + 1
            }
            return counts
        }""",
        image,
    )
    return Counter({tuple(map(int, key.split(","))): count for key, count in counts.items()})


def _blank(page: Page, address: str) -> None:
    """Open an empty document at an address, so that paths are relative to it."""
    html = "<!doctype html><meta charset='utf-8'><body style='margin: 0'></body>"
    page.route(f"{address}/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{address}/")
