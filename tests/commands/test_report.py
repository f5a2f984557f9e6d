"""histpred report on what predict has really written: what the page says is what the tables say."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support.command_line import environment, histpred, process, read_scores, said_well, tree

HOSTILE = ("</script><b>", "<i>&amp;'\"", "été", "x" * 200)


class Page(HTMLParser):
    """Tables as rows of texts, by id or the first words of their captions; what would be loaded."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.loads: list[str] = []
        self.text: list[str] = []
        self.caption = self.name = ""
        self.data = ""
        self._rows: list[list[str]] = []
        self._inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self._inside.append(tag)
        given = dict(attributes)
        self.loads += [given[name] for name in ("src", "href") if given.get(name)]
        if tag == "table":
            self._rows, self.caption, self.name = [], "", given.get("id") or ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag == "script" and given.get("id") == "data":
            self._inside[-1] = "data"

    def handle_endtag(self, tag):
        if tag == "table":
            self.tables[self.name or " ".join(self.caption.split()[3:6])] = self._rows
        while self._inside and self._inside.pop() not in (tag, "data"):
            pass

    def handle_data(self, text):
        if "caption" in self._inside:
            self.caption = "" if "b" in self._inside else self.caption + text
            self.caption = f"Table 1 | {self.caption}" if "b" in self._inside else self.caption
        elif self._inside and self._inside[-1] == "data":
            self.data += text
        elif "script" not in self._inside and "style" not in self._inside:
            self.text.append(text)
            if {"td", "th"} & set(self._inside) and self._rows and self._rows[-1]:
                self._rows[-1][-1] += text.strip()


@pytest.fixture(scope="module")
def genome(demo_data) -> Path:
    return demo_data / "genome.fa.gz"


@pytest.fixture(scope="module")
def genes(demo_data, genome, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("genes") / "scores"
    arguments = ("--biotype", "ncRNA", "-o", folder)
    assert histpred("predict", demo_data / "genes.gtf.gz", genome, *arguments).code == 0
    return folder


@pytest.fixture(scope="module")
def page(genes, tmp_path_factory) -> Page:
    out = tmp_path_factory.mktemp("report") / "page.html"
    done = histpred("report", genes, "-o", out)
    assert (done.code, done.out) == (0, ""), done.err
    return Page(out)


def flat(page):
    return re.sub(r"\s+", " ", "".join(page.text))


def test_it_opens_with_what_was_found_then_says_how_far_to_trust_it(genes, page):
    with gzip.open(genes / "calls.bed.gz", "rt") as lines:
        names = [line.split("\t")[3] for line in lines]
    called = len({name.partition("|")[0] for name in names})
    (mark, most), *_ = Counter(name.rpartition("|")[2] for name in names).most_common(1)
    rows = len(read_scores(genes / "scores.tsv.gz").rows)
    text = flat(page)
    parts = (
        f"{called} of {rows} genes have at least one called mark; the average is "
        f"{len(names) / rows:.1f}. {mark} is called most often, at {most} genes",
        "How far to trust it",
        "A probability is that of",
        "Limits",
        "digests",
    )
    assert [part for part in parts if part not in text] == []
    places = [text.index(part, text.index(parts[0])) for part in parts]
    assert places == sorted(places)


def test_few_genes_are_a_heat_map_with_their_names_and_probabilities(genes, page):
    scores = read_scores(genes / "scores.tsv.gz")
    head, *rows, foot = page.tables["window-table"]
    assert head[0] == "Gene"
    assert set(head[1:]) == set(scores.marks)
    assert len(rows) == len(scores.rows)
    of = {row["name"] + row["biotype"]: row for row in scores.rows}
    with gzip.open(genes / "calls.bed.gz", "rt") as lines:
        calls = {line.split("\t")[3] for line in lines}
    for name, *cells in rows:
        for mark, cell in zip(head[1:], cells, strict=True):
            called = f"{of[name]['name']}|{mark}" in calls
            value = f"{float(of[name][mark]):.2f}".removeprefix("0")
            assert cell == value + ("called" if called else "")
    assert dict(zip(head, foot, strict=True))["H3K9me3"] == "never"
    assert "top-table" not in page.tables  # the heat map has every gene


def test_marks_and_their_calls(genes, page):
    scores = read_scores(genes / "scores.tsv.gz")
    manifest = json.loads(Path("histpred/bundle/shipped/human-promoter/bundle.json").read_text())
    specs = {mark["name"]: mark for mark in manifest["marks"]}
    head, *rows = page.tables["mark-table"]
    assert {row[0] for row in rows} == set(scores.marks)
    with gzip.open(genes / "calls.bed.gz", "rt") as lines:
        calls = Counter(line.split("\t")[3].rpartition("|")[2] for line in lines)
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        name = cells["Mark"]
        if specs[name].get("unpredicted"):
            assert cells["Calls"] == cells["Threshold"] == "NA"
            continue
        values = [float(row[name]) for row in scores.rows]
        assert cells["Calls"] == f"{calls[name]:,}"
        assert cells["Mean probability"] == f"{sum(values) / len(values):.3f}"
        threshold = specs[name]["threshold"]
        assert cells["Threshold"] == (f"{threshold:.3f}" if threshold < 1 else "never")
        figures = manifest["metrics"]["genes"]["marks"][name]["model"]
        assert (cells["AUROC"], cells["ECE"]) == (
            f"{figures['auroc']:.3f}",
            f"{figures['ece']:.3f}",
        )
        assert cells["Measured on"] == "genes"
        assert cells["Class"]


def test_rows_and_reasons(genes, page):
    ledger = [line.split("\t") for line in (genes / "ledger.tsv").read_text().splitlines()[1:]]
    expected = Counter(row[9] or row[8] for row in ledger)
    _, *rows = page.tables["What became of"]
    assert {row[0]: row[1] for row in rows} == {
        reason: f"{count:,}" for reason, count in expected.items()
    }
    because = {row[0]: row[3] for row in rows}
    assert because["biotype-not-selected"] == "--biotype does not select it"


@pytest.fixture(scope="module")
def tiles(genome, tmp_path_factory):
    """A prediction of tiles in two regions, one of them without any sequence."""
    folder = tmp_path_factory.mktemp("tiles")
    rows = "chr22\t20280000\t20310000\tpart\t0\t.\nchr22\t20509400\t20510400\tgap\t0\t.\n"
    (folder / "parts.bed").write_text(rows)
    out = folder / "scores"
    done = histpred("predict", folder / "parts.bed", genome, "--tile", "200", "-o", out)
    assert done.code == 0, done.err
    done = histpred("report", out, "--overwrite")
    assert done.code == 0, done.err
    return out, Page(out / "report.html")


def test_top_loci_are_called_and_the_highest_mark_after_mark(tiles):
    folder, page = tiles
    scores = read_scores(folder / "scores.tsv.gz")
    _, *rows = page.tables["top-table"]
    marks = [row[0] for row in rows]
    assert marks == [mark for mark in dict.fromkeys(marks) for _ in range(marks.count(mark))]
    with gzip.open(folder / "calls.bed.gz", "rt") as lines:
        called = {line.split("\t")[3].rpartition("|")[2] for line in lines}
    assert set(marks) == called
    for name, rank, *_, probability in rows:
        if rank == "1":
            assert probability == f"{max(float(one[name]) for one in scores.rows):.3f}"


def test_tiles_have_a_signal_and_the_rows_of_their_annotation(tiles):
    view = json.loads(tiles[1].data)
    assert view["signal"] is True
    assert view["cover"] is False
    assert len(view["marks"]) == 31
    assert view["annotation"] == "parts.bed"
    assert ["chr22", 20_280_000, 20_310_000, "part", ".", True] in view["features"]


def test_what_the_browser_gets_is_in_the_table(genes, page):
    scores = read_scores(genes / "scores.tsv.gz")
    known = {(row["chrom"], row["start"], row["end"], row["name"]): row for row in scores.rows}
    view = json.loads(page.data)
    assert view["windows"]
    for chrom, start, end, name, strand, values in view["windows"]:
        row = known[chrom, str(start), str(end), name]
        assert strand == row["strand"]
        assert values == [pytest.approx(float(row[mark]), abs=1e-4) for mark in scores.marks]


def test_the_browser_gets_the_annotation_and_the_bases(genes, page, demo_data):
    view = json.loads(page.data)
    ledger = [line.split("\t") for line in (genes / "ledger.tsv").read_text().splitlines()[1:]]
    rows = {
        (chrom, int(start), int(end), name, strand, status == "scored")
        for _, chrom, start, end, strand, name, _, _, status, *_ in ledger
    }
    assert view["annotation"] == "genes.gtf.gz"
    features = {tuple(feature) for feature in view["features"]}
    assert features <= rows
    assert {feature for feature in features if feature[5]} == {row for row in rows if row[5]}
    sequence = gzip.decompress((demo_data / "genome.fa.gz").read_bytes()).decode()
    bases = sequence.partition("\n")[2].replace("\n", "").upper()
    assert view["bases"]
    for _, start, text in view["bases"]:
        assert text == bases[start : start + len(text)]


def test_a_genome_that_has_changed_since_shows_no_bases(demo_data, tmp_path):
    fasta = tmp_path / "genome.fa"
    fasta.write_bytes(gzip.decompress((demo_data / "genome.fa.gz").read_bytes()))
    (tmp_path / "one.bed").write_text("chr22\t20100000\t20104000\tone\t0\t+\n")
    out = tmp_path / "scores"
    assert histpred("predict", tmp_path / "one.bed", fasta, "-o", out).code == 0
    later = time.time() + 60
    os.utime(fasta, (later, later))
    assert histpred("report", out, "--overwrite").code == 0
    assert json.loads(Page(out / "report.html").data)["bases"] == []


def test_it_loads_nothing(page):
    assert all(address.startswith(("#", "data:")) for address in page.loads), page.loads


def test_it_says_what_the_card_says(page):
    text = flat(page)
    assert "Not for clinical use" in text
    assert "The region of histpred demo (chr22:20-21 Mb) lies inside the training stretch" in text


def test_the_same_prediction_gives_the_same_page(genes, tmp_path):
    for name in "ab":
        # Processes of their own: of other hashes.
        assert process("report", genes, "-o", tmp_path / name).code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_written_into_the_home_or_left_in_the_temporary_folder(genes, tmp_path):
    """Where matplotlib keeps its list of fonts."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    changes = {"HOME": str(home), "TMPDIR": str(temporary)}
    changes |= dict.fromkeys(("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"))
    done = process("report", genes, "-o", tmp_path / "page.html", changes=changes)
    assert done.code == 0, done.err
    assert tree(home) == tree(temporary) == {}


def test_names_are_text_and_nothing_else(demo_data, genome, tmp_path):
    lines = (demo_data / "genes.bed").read_text().splitlines()[: len(HOSTILE)]
    renamed = [
        "\t".join([*line.split("\t")[:3], name, *line.split("\t")[4:]])
        for line, name in zip(lines, HOSTILE, strict=True)
    ]
    (tmp_path / "genes.bed").write_text("\n".join(renamed) + "\n", encoding="utf-8")
    out = tmp_path / "scores"
    assert histpred("predict", tmp_path / "genes.bed", genome, "-o", out).code == 0
    done = histpred("report", out)
    assert done.code == 0, done.err
    page = Page(out / "report.html")
    names = {window[3] for window in json.loads(page.data)["windows"]}
    assert names <= set(HOSTILE)
    content = (out / "report.html").read_text(encoding="utf-8")
    assert "</script><b>" not in content
    assert "<i>&amp;" not in content


def test_it_lies_beside_the_tables_and_goes_with_them(genes, demo_data, genome, tmp_path):
    out = tmp_path / "scores"
    shutil.copytree(genes, out)
    assert histpred("report", out).code == 0
    before = tree(out)
    done = histpred("report", out)
    assert done.code == 0
    assert f"{out / 'report.html'} holds this output already: nothing to do" in done.err
    assert tree(out) == before
    (out / "report.html").write_text("mine")
    done = histpred("report", out)
    assert done.code == 1
    assert f"{out / 'report.html'} exists" in done.err
    assert (out / "report.html").read_text() == "mine"
    assert histpred("report", out, "--overwrite").code == 0
    arguments = ("predict", demo_data / "genes.gtf.gz", genome, "-o", out)
    assert histpred(*arguments, "--overwrite").code == 0
    assert not (out / "report.html").exists()


def test_predict_writes_it_unless_told_not_to(demo_data, genome, tmp_path, monkeypatch):
    arguments = ("predict", demo_data / "genes.bed", genome, "-o")
    done = histpred(*arguments, tmp_path / "with", report=True)
    assert (done.code, done.out) == (0, ""), done.err
    assert f"{tmp_path / 'with' / 'report.html'}: what was found" in done.err
    assert histpred("report", tmp_path / "with").code == 0  # holds it already
    assert histpred(*arguments, tmp_path / "without").code == 0
    pages = [(tmp_path / name / "report.html").exists() for name in ("with", "without")]
    assert pages == [True, False]
    record = json.loads((tmp_path / "with" / "run.json").read_text())
    assert "report.html" not in record["outputs"]  # it is made from them

    (tmp_path / "with" / "report.html").write_text("mine")
    assert histpred(*arguments, tmp_path / "with", report=True).code == 0
    assert (tmp_path / "with" / "report.html").read_text() == "mine"

    monkeypatch.setattr("histpred.commands.report.MOST_WINDOWS", 3)
    done = histpred(*arguments, tmp_path / "many", report=True)
    assert done.code == 0
    assert f"histpred report {tmp_path / 'many'} writes one" in done.err
    assert not (tmp_path / "many" / "report.html").exists()


def without_the_run(page: Path) -> list[str]:
    """The lines of a page but for those that say when, for how long and where it was made."""
    lines = page.read_text().splitlines()
    return [line for line in lines if not re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d", line)]


def test_gather_writes_the_page_of_an_unsharded_run(demo_data, genome, tmp_path):
    inputs = (demo_data / "genes.bed", genome, "--bundle", "human-promoter")
    whole, scattered, parts = (tmp_path / name for name in ("whole", "scattered", "parts"))
    assert histpred("predict", *inputs, "-o", whole, report=True).code == 0
    assert histpred("scatter", *inputs, "--shard-bases", "400000", "-o", scattered).code == 0
    for shard in sorted((scattered / "shards").iterdir()):
        assert histpred("predict", shard, genome, "-o", parts / shard.stem).code == 0
    gather = ("gather", scattered, *sorted(parts.iterdir()), "-o")
    assert histpred(*gather, tmp_path / "without").code == 0
    assert not (tmp_path / "without" / "report.html").exists()
    done = histpred(*gather, tmp_path / "with", report=True)
    assert (done.code, done.out) == (0, ""), done.err
    page = tmp_path / "with" / "report.html"
    assert f"{page}: what was found" in done.err
    shards = len(list(parts.iterdir()))
    assert shards > 1
    assert f"joined from {shards} shards" in page.read_text()
    assert without_the_run(page) == without_the_run(whole / "report.html")

    other = histpred(*gather, tmp_path / "other", "--bundle", "yeast", report=True)
    assert other.code == 1
    assert "is not the bundle human-promoter" in other.err


def test_gather_says_why_a_bundle_that_does_not_ship_has_no_report(
    demo_data, genome, tmp_path, monkeypatch
):
    inputs = (demo_data / "genes.bed", genome, "--bundle", "human-promoter")
    assert histpred("scatter", *inputs, "-o", tmp_path / "scattered").code == 0
    shard = tmp_path / "scattered" / "shards" / "0001.tsv"
    assert histpred("predict", shard, genome, "-o", tmp_path / "part").code == 0
    gather = ("gather", tmp_path / "scattered", tmp_path / "part", "-o", tmp_path / "out")
    monkeypatch.setattr("histpred.reports.prediction.shipped_bundles", lambda: ["yeast"])
    done = histpred(*gather, report=True)
    assert done.code == 0
    assert "no report is written: the bundle human-promoter" in done.err
    assert f"histpred report {tmp_path / 'out'} --bundle DIR" in done.err
    assert histpred(*gather, "--bundle", "human-promoter", report=True).code == 0
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize("name", [b"latin-\xe4", b"new\nline", b"<b>&", b"-dash"], ids=repr)
def test_files_with_odd_names_have_a_report(name, demo_data, genome, tmp_path):
    rows, out = (tmp_path / f"{os.fsdecode(name)}{end}" for end in (".bed", ""))
    shutil.copy(demo_data / "genes.bed", rows)
    fasta = out / f"{os.fsdecode(name)}.fa.gz"
    out.mkdir()
    shutil.copy(genome, fasta)
    done = histpred("predict", rows, fasta, "-o", tmp_path / "scores", report=True)
    assert done.code == 0, done.err
    page = Page(tmp_path / "scores" / "report.html")
    assert f"{name.decode('utf-8', 'replace')}.bed" in "".join(page.text)


def test_the_demo_leaves_a_report(tmp_path):
    done = histpred("demo", "-o", tmp_path / "demo")
    assert done.code == 0, done.err
    assert f"{tmp_path / 'demo' / 'report.html'}: all of it as a page" in done.out
    assert Page(tmp_path / "demo" / "report.html").tables["window-table"]


def test_it_needs_no_package_but_those_of_predict(genes, tmp_path):
    """The extras bring matplotlib, scipy, and what needs them."""
    code = """
import sys
from pathlib import Path
from histpred.reports.prediction import write_report
write_report(Path(sys.argv[1]), Path(sys.argv[2]))
heavy = {"matplotlib", "scipy", "sklearn", "pandas", "torch", "IPython"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    line = [sys.executable, "-c", code, genes, tmp_path / "page.html"]
    subprocess.run(line, check=True, env=environment(), timeout=100)


def test_what_is_no_prediction_is_refused(genes, tmp_path):
    done = histpred("report", tmp_path)
    assert done.code == 1
    assert said_well(done.err)
    assert "no finished output of histpred predict" in done.err
    done = histpred("report", genes, "--bundle", "yeast", "-o", tmp_path / "page.html")
    assert done.code == 1
    assert "is not the bundle human-promoter" in done.err
    assert said_well(done.err)
    assert list(tmp_path.iterdir()) == []


def test_a_prediction_is_never_written_over(genes, tmp_path):
    before = tree(genes)
    for name in ("scores.tsv.gz", "run.json"):
        done = histpred("report", genes, "-o", genes / name, "--overwrite")
        assert done.code == 1
        assert "is an input too" in done.err
    assert tree(genes) == before


def test_no_window_is_no_report(genome, tmp_path):
    (tmp_path / "none.bed").write_text("# nothing\n")
    out = tmp_path / "scores"
    assert histpred("predict", tmp_path / "none.bed", genome, "-o", out, "--tracks").code == 0
    done = histpred("report", out)
    assert done.code == 1
    assert said_well(done.err)
    assert "no window was scored" in done.err
    tracks = json.loads((out / "hub" / "igv-session.json").read_text())["tracks"]
    assert tracks == []


def test_contigs_that_igv_cannot_read_and_long_ones(demo_data, tmp_path):
    """Names as of HLA contigs; and a .csi beside the tables in place of a .tbi."""
    sequence = gzip.decompress((demo_data / "genome.fa.gz").read_bytes()).decode().split("\n", 1)[1]
    bases = sequence.replace("\n", "").lstrip("N")[:60_000]
    names = ("HLA-A*01:01:01:01", "chr1-2:3", "c,omma")
    (tmp_path / "odd.fa").write_text("".join(f">{name}\n{bases}\n" for name in names))
    rows = "".join(f"{name}\t9000\t20000\tgene\t0\t+\n" for name in names)
    (tmp_path / "odd.bed").write_text(rows)
    out = tmp_path / "scores"
    done = histpred("predict", tmp_path / "odd.bed", tmp_path / "odd.fa", "-o", out, "--tracks")
    assert done.code == 0, done.err
    pysam = pytest.importorskip("pysam")
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        options = {"seq_col": 0, "start_col": 1, "end_col": 2, "zerobased": True}
        pysam.tabix_index(str(out / name), force=True, csi=True, meta_char="#", **options)
        (out / f"{name}.tbi").unlink()
    record = json.loads((out / "run.json").read_text())
    record["outputs"] = {}
    (out / "run.json").write_text(json.dumps(record))
    assert histpred("report", out).code == 0
    view = json.loads(Page(out / "report.html").data)
    assert len(view["windows"]) == 3
    assert all(":" not in name and "," not in name for name in view["contigs"])


@pytest.fixture(scope="module")
def stated(tmp_path_factory):
    pytest.importorskip("torch", reason="needs torch")
    from support.random_bundle import stated_prediction

    return stated_prediction(tmp_path_factory.mktemp("stated"))


def test_a_page_says_what_calls_promise_and_why_a_mark_is_na(stated, tmp_path):
    out = tmp_path / "page.html"
    done = histpred("report", stated.folder, "--bundle", stated.bundle, "-o", out)
    assert done.code == 0, done.err
    page = Page(out)
    head, *rows = page.tables["mark-table"]
    assert head[4:] == ["Threshold", "Precision", "Recall"]
    cells = {row[0]: row for row in rows}
    assert cells["H3K27ac"][4:] == ["0.500", "0.800", "0.600"]
    assert cells["H3K4me3"][4:] == ["never", "", ""]
    assert set(cells["H3K27me3"][2:]) == {"NA"}
    text = flat(page)
    assert "H3K27me3 not predicted: too few genes carry it NA" in text  # no picture
    assert re.search(r"H3K4me3 Probabilities of H3K4me3, never called never called", text)
    assert "H3K4me3 is never called: no threshold reaches a precision of 0.8." in text
    assert "H3K27me3 is not predicted (NA): too few genes carry it." in text
    calls = int(cells["H3K27ac"][2])
    right = f"Of the {calls} calls, about {0.8 * calls:.0f} (80%) are expected to be right"
    assert right in text
    first = text.partition("Table 1")[0]
    meaning = "a peak at the start in at least a quarter of the samples: 20 for H3K27ac."
    assert f"A probability of H3K27ac is that of {meaning}" in first
    assert "It was trained on nothing." in first
    view = json.loads(page.data)
    assert [mark["name"] for mark in view["marks"]] == ["H3K27ac", "H3K4me3"]
    assert {len(values) for *_, values in view["windows"]} == {2}
