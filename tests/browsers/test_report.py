"""The report as a reader has it: a file, opened without a network on a laptop or a phone."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from histpred.core.marks import mark_colour
from support.browsers import AXE, PHONE, SCREEN, colours, faults_of
from support.command_line import histpred

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", params=["genes", "tiles"])
def path(request, tmp_path_factory) -> Path:
    hub = request.getfixturevalue(request.param)
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = histpred("report", hub.folder.parent / "scores", "-o", path)
    assert done.code == 0, done.err
    return path


@pytest.fixture
def report(path, page) -> Iterator[object]:
    """The page, with the browser in it drawn. What it asks for lies in the page itself."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("#browser[data-ready=yes]")
    yield page
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]


@pytest.fixture(params=[SCREEN, PHONE], ids=["laptop", "phone"])
def screen(request):
    return request.param


@pytest.fixture(scope="module")
def pages(path) -> Iterator[dict[tuple[int, str], Page]]:
    """The open pages by the width of their screen and their theme."""
    found: dict[tuple[int, str], Page] = {}
    yield found
    for page in found.values():
        page.close()


@pytest.fixture
def opened(path, pages, chromium, screen):
    """Opens the page on a screen, in a theme, once for all tests: they only look at it."""

    def open_in(theme):
        key = screen["width"], theme
        if key not in pages:
            page = chromium.new_page(viewport=screen, color_scheme=theme, bypass_csp=True)
            pages[key] = page
            page.goto(path.as_uri())
            page.wait_for_selector("#browser[data-ready=yes]")
        return pages[key]

    return open_in


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.skipif(not AXE.is_file(), reason="needs what tests/browsers/get.sh fetches")
def test_axe_finds_no_fault_and_nothing_scrolls_sideways(opened, screen, theme):
    page = opened(theme)
    assert faults_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


def test_a_dark_system_has_a_dark_page_with_light_text(opened):
    for theme, dark in (("light", False), ("dark", True)):
        page = opened(theme)
        (page_colour, text) = page.evaluate(
            """() => { const style = getComputedStyle(document.body);
                return [style.backgroundColor, style.color].map(colour =>
                    colour.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0)) }"""
        )
        assert (page_colour < text) is dark


def test_every_picture_has_a_name_and_its_colours_are_those_of_the_page(opened):
    page = opened("dark")
    names = page.evaluate(
        """[...document.querySelectorAll('main svg')].map(
            one => one.querySelector('title')?.textContent)"""
    )
    assert all(names)
    assert len(names) == len(set(names))


def test_the_keyboard_reaches_sorting_searching_and_places(report):
    """Every control is a button, an input, a link or a box that scrolls."""
    tags = set()
    report.locator("nav a").first.focus()
    for _ in range(60):
        report.keyboard.press("Tab")
        tags.add(
            report.evaluate(
                "(document.activeElement.closest('th') ?? document.activeElement).tagName"
            )
        )
    assert {"A", "TH", "INPUT", "DIV"} <= tags
    head = report.locator("#mark-table thead button", has_text="Calls")
    head.focus()
    report.keyboard.press("Enter")
    assert report.locator("#mark-table th[aria-sort=descending]").inner_text().startswith("Calls")


def test_its_browser_shows_the_mark_that_one_asks_for(report):
    buttons = report.locator("#buttons button")
    if not buttons.count():
        pytest.skip("few genes have a heat map in place of the best loci")
    box = report.locator("#browser input").first
    before = box.input_value()
    best = report.evaluate(
        "[...document.querySelectorAll('#top-table tr.first')].map(row => row.dataset.place)"
    )
    # One that is not where the page opens.
    number = next(i for i, place in enumerate(best) if place != best[0])
    button = buttons.nth(number)
    mark = button.text_content().removeprefix("best of ")
    button.click()
    report.wait_for_timeout(1_000)
    assert box.input_value() != before
    report.locator("#view").scroll_into_view_if_needed()
    report.locator("#browser").scroll_into_view_if_needed()
    seen = colours(report, report.locator("#browser").screenshot())
    red, green, blue = mark_colour(mark)
    near = sum(
        count
        for (r, g, b), count in seen.items()
        if max(abs(r - red), abs(g - green), abs(b - blue)) < 120
    )
    assert near > 100  # in its colour: it is the most likely of all


def test_a_click_on_a_place_goes_there(report):
    row = report.locator("tr[data-place]").nth(3)
    wanted, first, last = json.loads(row.get_attribute("data-place"))
    row.locator(".place button").click()
    report.wait_for_timeout(500)
    shown = report.locator("#browser input").first.input_value()
    contig, _, rest = shown.replace(",", "").partition(":")
    start, end = map(int, rest.split("-"))
    assert contig == wanted
    assert start <= first + 1 < last <= end


def test_its_browser_has_the_annotation_and_where_one_zooms_in_the_bases(report):
    labels = report.locator("#browser .igv-track-label").all_text_contents()
    assert report.evaluate("view.annotation") in labels
    contig, start, text = report.evaluate("view.bases[0]")
    got = report.evaluate(
        "([contig, start]) => basesOf(contig, start - 2, start + 3)", [contig, start]
    )
    assert got == "  " + text[:3]
    box = report.locator("#browser input").first
    box.fill(f"{contig}:{start + 101}-{start + 160}")
    box.press("Enter")
    report.wait_for_timeout(1_000)
    track = report.locator("#browser .igv-viewport").nth(1)
    assert len(colours(report, track.screenshot())) > 5  # letters in four colours


def test_windows_are_found_by_name_and_nothing_is_asked_of_anybody(report):
    box = report.locator("#browser input").first
    _, start, end, name, *_ = report.evaluate("view.windows.at(-1)")
    if not report.evaluate("view.signal"):  # tiles have no names of their own
        box.fill(name)
        box.press("Enter")
        report.wait_for_timeout(500)
        first, last = map(int, box.input_value().replace(",", "").partition(":")[2].split("-"))
        assert first <= start + 1
        assert end <= last
    box.fill("no such gene")
    box.press("Enter")
    report.wait_for_timeout(500)  # igv.js would ask its server


def test_tables_sort_and_search(report):
    rows = report.locator("#mark-table tbody tr:visible")
    count = rows.count()
    report.locator("#mark-table thead button", has_text="Calls").click()
    called = [
        int(text.replace(",", ""))
        for text in report.locator("#mark-table tbody td:nth-child(3)").all_text_contents()
    ]
    assert called == sorted(called, reverse=True)
    assert len(called) == count
    report.locator("input[data-for=mark-table]").fill("promoter h3k4")
    assert [text.strip() for text in rows.locator("th").all_text_contents()] == [
        name for name in rows.locator("th").all_text_contents() if name.startswith("H3K4")
    ]
    assert 0 < rows.count() < count
    report.locator("input[data-for=mark-table]").fill("")
    assert rows.count() == count


@pytest.mark.parametrize("let_in", [True, False])
def test_a_table_is_copied_as_one_sees_it(report, let_in):
    """With tabs, for a spreadsheet; from disk, a browser may not let the page in by itself."""
    if let_in:
        report.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        report.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    report.evaluate(
        """() => { window.copied = '';
            document.addEventListener('copy', () => {
                window.copied = document.activeElement.value ?? '' }) }"""
    )
    report.locator("input[data-for=mark-table]").fill("promoter h3k4")
    report.locator("#mark-table caption button").click()
    report.wait_for_function(
        "document.querySelector('#mark-table caption button').textContent === 'Copied'"
    )
    read = "navigator.clipboard.readText()" if let_in else "window.copied"
    lines = [line.split("\t") for line in report.evaluate(read).splitlines()]
    heads = report.locator("#mark-table thead th").all_text_contents()
    names = report.locator("#mark-table tbody tr:visible th").all_text_contents()
    assert lines[0] == [head.strip() for head in heads]
    assert [line[0] for line in lines[1:]] == [name.strip() for name in names]
    assert {len(line) for line in lines} == {len(heads)}
    report.locator("input[data-for=mark-table]").fill("")


def test_marks_are_light_in_a_dark_browser(opened):
    """Each is drawn as the squares beside its name, which are lighter on a dark page."""
    page = opened("dark")
    shown = page.evaluate(
        """() => { const box = document.createElement('span'); document.body.append(box);
            const shown = view.marks.map(mark => {
                box.className = 'mark hued';
                box.style.setProperty('--mark', `rgb(${mark.colour})`);
                const colour = getComputedStyle(box).backgroundColor;
                return [lifted(mark.colour), colour.match(/[\\d.]+/g).map(Number)] });
            box.remove();
            return shown }"""
    )
    for drawn, square in shown:
        scale = 255 if max(square) <= 1 else 1  # color(srgb r g b)
        assert drawn == pytest.approx([part * scale for part in square[:3]], abs=2)


def test_on_a_phone_the_bar_of_the_browser_is_one_line(opened, screen):
    page = opened("light")
    bars = page.locator("#browser .igv-windowsize-panel-container, #browser .igv-locus-size-group")
    boxes = [box for box in (bar.bounding_box() for bar in bars.all()) if box]
    assert boxes
    for box in boxes:
        assert box["height"] < 40
        assert box["x"] + box["width"] <= screen["width"]


def test_a_long_table_has_a_shadow_where_it_goes_on(opened):
    page = opened("light")
    shown = page.locator(".wide").first.evaluate("box => getComputedStyle(box).backgroundImage")
    assert shown.count("linear-gradient") == 4


def test_its_tables_can_be_read(report):
    """No table runs out of the page, and no row hides in a box that scrolls."""
    table = report.locator("#top-table, #window-table").first
    box = table.bounding_box()
    assert box["width"] <= SCREEN["width"]
    assert table.locator("..").evaluate("box => box.scrollHeight - box.clientHeight") <= 1


def test_the_same_without_javascript(chromium, path):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#mark-table tbody tr").count() in (8, 31)
    assert page.locator("#window-table tbody tr, #distributions svg").count() in (28, 31)
    context.close()


HOSTILE = (
    "<img src=x onerror=window.ran=1>",
    '" onmouseover="window.ran=1" x="',
    "' onclick='window.ran=1",
    "<svg/onload=window.ran=1>",
    "</script><script>window.ran=1</script>",
    "<script>window.ran=1</script>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<a href=javascript:window.ran=1>a</a>",
    "<b>bold</b> & &lt;i&gt;",
    "{{7*7}}${7*7}`;window.ran=1;`",
    "<!-- <details open ontoggle=window.ran=1>",
    "-->]]><style>*{display:none}</style>",
)


@pytest.fixture(scope="module")
def hostile(demo_data, tmp_path_factory) -> Path:
    """The report on coding genes with hostile names, and one more: contigs end with the last."""
    folder = tmp_path_factory.mktemp("hostile")
    with gzip.open(demo_data / "genes.gtf.gz", "rt") as lines:
        coding = [line for line in lines if "\tgene\t" in line and "protein_coding" in line]
    starts = []
    for chrom, _, _, start, end, _, strand, *_ in (line.split("\t") for line in coding):
        first = int(start) - 1 if strand == "+" else int(end)
        starts.append((first, chrom, strand))
    apart = []  # a table of the best loci has one in each 10 kb
    for place in sorted(starts):
        if not apart or place[0] > apart[-1][0] + 12_000:
            apart.append(place)
    with open(folder / "rows.bed", "w") as bed:
        for (start, chrom, strand), name in zip(apart, (*HOSTILE, "last"), strict=True):
            bed.write(f"{chrom}\t{start}\t{start + 1}\t{name}\t0\t{strand}\n")
    genome = demo_data / "genome.fa.gz"
    done = histpred("predict", folder / "rows.bed", genome, "-o", folder / "scores")
    assert done.code == 0, done.err
    done = histpred("report", folder / "scores", "-o", folder / "report.html")
    assert done.code == 0, done.err
    return folder / "report.html"


def test_a_name_is_text_wherever_one_clicks(hostile, page):
    page.goto(hostile.as_uri())
    page.wait_for_selector("#browser[data-ready=yes]")
    place_of = {}
    for row in page.locator("#window-table tbody tr").all():
        place_of[row.locator(".place").inner_text()] = row.locator(".place button")
    assert place_of.keys() >= set(HOSTILE)
    labels = page.locator("#browser .igv-track-label").all_text_contents()
    windows = page.locator("#browser .igv-viewport").nth(2 + labels.index("scored windows"))
    for name in place_of.keys() & set(HOSTILE):
        place = place_of[name]
        place.click()
        page.wait_for_timeout(500)
        box = windows.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 17)
        popup = page.locator(".igv-ui-popover").filter(has_text=name)
        popup.wait_for()
        page.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + 30)
        popup.evaluate("popup => popup.style.display = 'none'")  # it lies over the next window
    assert page.evaluate("window.ran") is None


def test_a_picture_of_hostile_names(hostile, page, tmp_path):
    """For a person to look at: in the folder HISTPRED_PICTURES, if it is set."""
    folder = Path(os.environ.get("HISTPRED_PICTURES") or tmp_path)
    page.goto(hostile.as_uri())
    page.wait_for_selector("#browser[data-ready=yes]")
    shown = page.locator("#window-table").inner_text()
    assert [name for name in HOSTILE if name not in shown] == []
    page.locator("#window-table").screenshot(path=folder / "hostile-names.png")
    assert (folder / "hostile-names.png").stat().st_size > 10_000


def test_nothing_runs_but_the_scripts_of_the_page(hostile, chromium):
    """Whatever reads a name as HTML: the content policy lets it run nothing."""
    page = chromium.new_page()
    page.goto(hostile.as_uri())
    page.wait_for_selector("#browser[data-ready=yes]")
    for name in HOSTILE:
        page.evaluate("name => document.body.insertAdjacentHTML('beforeend', name)", name)
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") is None
    page.close()
