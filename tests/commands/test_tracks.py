"""histpred tracks on what predict has really written, read back by pyBigWig."""

from __future__ import annotations

import gzip
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from histpred.core.marks import CLASS_COLOURS
from support.command_line import contents, histpred, read_scores, said_well, tree

pyBigWig = pytest.importorskip("pyBigWig", reason="needs pyBigWig")

CLASSES = {
    "active promoter": ["H3K4me3", "H3K9ac"],
    "enhancer": ["H3K27ac", "H3K4me1"],
    "transcribed": ["H3K36me3"],
}


@pytest.fixture(scope="module")
def genome(demo_data) -> Path:
    return demo_data / "genome.fa.gz"


@pytest.fixture(scope="module")
def genes(demo_data, genome, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("genes") / "scores"
    assert histpred("predict", demo_data / "genes.gtf.gz", genome, "-o", folder).code == 0
    return folder


@pytest.fixture(scope="module")
def tiles(genome, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiles")
    (folder / "part.bed").write_text("chr22\t20280000\t20310000\tpart\t0\t.\n")
    done = histpred(
        "predict", folder / "part.bed", genome, "--tile", "200", "-o", folder / "scores"
    )
    assert done.code == 0, done.err
    return folder / "scores"


def hub_of(scores: Path, genome: Path, out: Path, *more: str) -> Path:
    done = histpred("tracks", scores, genome, "--assembly", "hg19", "-o", out, *more)
    assert (done.code, done.out) == (0, ""), done.err
    return out


def stanzas(path: Path) -> list[dict[str, str]]:
    """A file of settings, an empty line between two stanzas."""
    blocks = path.read_text(encoding="ascii").rstrip("\n").split("\n\n")
    return [dict(line.split(" ", 1) for line in block.split("\n")) for block in blocks]


def test_a_hub_of_genes(genes, genome, tmp_path):
    hub = hub_of(genes, genome, tmp_path / "hub")
    scores = read_scores(genes / "scores.tsv.gz")
    expected = {f"hg19/{mark}.bb" for mark in scores.marks}
    texts = {"hub.txt", "genomes.txt", "one-file-hub.txt", "hg19/trackDb.txt"}
    texts |= {"igv-session.json", "igv-session-all.json", "igv-session.xml", "jbrowse-config.json"}
    texts |= {"hg19/contigs.chrom.sizes", "hg19/marks.html"}
    files = {str(path.relative_to(hub)) for path in hub.rglob("*") if path.is_file()}
    means = {"hg19/class-active-promoter.bb", "hg19/class-enhancer.bb"}
    assert files == {*expected, *texts, *means, "hg19/calls.bb", "hg19/annotation.bb"}

    with pyBigWig.open(str(hub / "hg19" / "H3K4me3.bb")) as reader:
        entries = reader.entries("chr22", 0, reader.chroms("chr22"))
    found = [(start, end, *(rest.split("\t")[i] for i in (0, 6))) for start, end, rest in entries]
    assert sorted(found) == sorted(
        (int(row["start"]), int(row["end"]), row["name"], row["H3K4me3"]) for row in scores.rows
    )
    with pyBigWig.open(str(hub / "hg19" / "calls.bb")) as reader:
        entries = reader.entries("chr22", 0, reader.chroms("chr22"))
    calls = gzip.decompress((genes / "calls.bed.gz").read_bytes()).decode().splitlines()
    found = [(str(start), str(end), *rest.split("\t")) for start, end, rest in entries]
    assert sorted((*row[:2], f"{row[8]}|{row[2]}", *row[3:8]) for row in found) == sorted(
        tuple(line.split("\t")[1:]) for line in calls
    )
    with pyBigWig.open(str(hub / "hg19" / "annotation.bb")) as reader:
        entries = reader.entries("chr22", 0, reader.chroms("chr22"))
    rows = [line.split("\t") for line in (genes / "ledger.tsv").read_text().splitlines()[1:]]
    assert sorted((start, end, rest.split("\t")[0]) for start, end, rest in entries) == sorted(
        (int(row[2]), int(row[3]), row[5]) for row in rows
    )


def test_what_the_hub_says(genes, genome, tmp_path):
    hub = hub_of(genes, genome, tmp_path / "hub")
    (main,) = stanzas(hub / "hub.txt")
    (assembly,) = stanzas(hub / main["genomesFile"])
    assert assembly["genome"] == "hg19"
    tracks = stanzas(hub / assembly["trackDb"])
    names = [track["track"] for track in tracks]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)
    assert all(
        track.get("parent", "histpred").split(" ")[0] in names[: names.index(track["track"]) or 1]
        for track in tracks
    )
    by_label = {track["shortLabel"]: track for track in tracks}
    for mark_class, marks in CLASSES.items():
        group = by_label[marks[0]]["parent"].partition(" ")[0]
        (group,) = [track for track in tracks if track["track"] == group]
        assert group["shortLabel"] == mark_class
        assert group["compositeTrack"] == "on"
        for mark in marks:
            switch = "off" if mark == "H3K9ac" else "on"
            assert by_label[mark]["parent"] == f"{group['track']} {switch}"
            assert (by_label[mark]["itemRgb"], "color" in by_label[mark]) == ("on", False)
    for track in tracks:
        if "bigDataUrl" in track:
            assert (hub / "hg19" / track["bigDataUrl"]).exists()

    first, genome_line, *beside = stanzas(hub / "one-file-hub.txt")
    assert (first["useOneFile"], genome_line) == ("on", {"genome": "hg19"})
    assert [track["track"] for track in beside] == names
    assert all((hub / track["bigDataUrl"]).exists() for track in beside if "bigDataUrl" in track)


def test_tiles_become_a_signal(tiles, genome, tmp_path):
    hub = hub_of(tiles, genome, tmp_path / "hub")
    scores = read_scores(tiles / "scores.tsv.gz")
    found = {path.stem for path in (hub / "hg19").glob("*.bw")}
    assert {name for name in found if not name.startswith("class-")} == set(scores.marks)
    names = {path.name for path in (hub / "hg19").glob("*.bb")}
    assert names == {"annotation.bb", "calls.bb"}
    with pyBigWig.open(str(hub / "hg19" / "H3K27ac.bw")) as reader:
        found = reader.intervals("chr22")
    assert [(start, end) for start, end, _ in found] == [
        (int(row["start"]), int(row["end"])) for row in scores.rows
    ]
    assert [value for *_, value in found] == pytest.approx(
        [float(row["H3K27ac"]) for row in scores.rows], rel=1e-6
    )
    composites = {
        track["shortLabel"]: track
        for track in stanzas(hub / "hg19" / "trackDb.txt")
        if "compositeTrack" in track
    }
    assert composites["enhancer"]["type"] == "bigWig 0 1"
    assert composites["enhancer"]["color"] == ",".join(map(str, CLASS_COLOURS["enhancer"]))
    assert "probability in each tile of 200 bp (" in composites["enhancer"]["longLabel"]


def test_tracks_without_the_table_hold_what_they_hold_with_it(tiles, genome, tmp_path):
    part, out = tiles.parent / "part.bed", tmp_path / "out"
    command = ("predict", part, genome, "--tile", "200", "--tracks", "--no-table", "-o", out)
    done = histpred(*command)
    assert done.code == 0, done.err
    names = {"calls.bed.gz", "calls.bed.gz.tbi", "ledger.tsv", "run.json", "hub"}
    assert {path.name for path in out.iterdir()} == names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    for name in ("calls.bed.gz", "ledger.tsv"):
        assert (out / name).read_bytes() == (tiles / name).read_bytes()
    hub = hub_of(tiles, genome, tmp_path / "hub")
    assert contents(out / "hub").keys() == contents(hub).keys()
    for path in (hub / "hg19").glob("*.bw"):
        with (
            pyBigWig.open(str(path)) as one,
            pyBigWig.open(str(out / "hub/hg19" / path.name)) as two,
        ):
            expected, found = (reader.intervals("chr22") for reader in (one, two))
        assert [row[:2] for row in found] == [row[:2] for row in expected]
        assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], abs=1e-6)

    before = tree(out)
    assert "nothing to do" in histpred(*command).err
    assert tree(out) == before
    verbs = [("tracks", out, genome)]
    verbs += [("convert", out)] if find_spec("pyarrow") else []
    verbs += [("report", out)]
    for verb in verbs:
        where = () if verb[0] == "report" else ("-o", tmp_path / "x.parquet")
        refused = histpred(*verb, *where)
        assert refused.code == 1
        assert "was predicted with --no-table, so it has no scores.tsv.gz" in refused.err
    assert histpred("summary", out, "-o", tmp_path / "summary").code == 0

    other = histpred(*command[:6], "-o", out)
    assert other.code == 1
    assert "what differs: table (False -> True)" in other.err
    shutil.rmtree(out / "hub")
    again = histpred(*command)
    assert again.code == 0, again.err
    assert (out / "hub" / "hub.txt").exists()


@pytest.mark.parametrize("options", [(), ("--tracks",), ("--tile", "200")])
def test_a_prediction_without_its_table_must_be_tracks_of_tiles(options, genes, genome, tmp_path):
    annotation = tmp_path / "a.bed"
    annotation.write_text("chr22\t20200000\t20220000\tpart\t0\t+\n")
    refused = histpred("predict", annotation, genome, "--no-table", *options, "-o", tmp_path / "x")
    assert refused.code == 2
    assert "add --tracks and --tile BP" in refused.err
    assert not (tmp_path / "x").exists()


def test_the_same_prediction_gives_the_same_bytes(genes, genome, tmp_path):
    one, two = (hub_of(genes, genome, tmp_path / name) for name in "ab")
    assert contents(one) == contents(two)


def test_an_earlier_hub_is_replaced_only_if_asked_for_and_wholly(genes, tiles, genome, tmp_path):
    hub = hub_of(genes, genome, tmp_path / "hub")
    before = tree(hub)
    again = histpred("tracks", genes, genome, "--assembly", "hg19", "-o", hub)
    assert (again.code, tree(hub)) == (0, before)
    assert f"{hub} holds this output already: nothing to do" in again.err
    done = histpred("tracks", tiles, genome, "--assembly", "hg19", "-o", hub)
    assert done.code == 1
    assert f"{hub} holds another output; what differs: hg19/" in done.err
    assert tree(hub) == before
    hub_of(tiles, genome, hub, "--overwrite")
    assert contents(hub) == contents(hub_of(tiles, genome, tmp_path / "fresh"))


def test_a_folder_of_other_things_is_never_touched(genes, genome, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = histpred("tracks", genes, genome, "--assembly", "hg19", "-o", tmp_path, "--overwrite")
    assert done.code == 1
    assert said_well(done.err)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_another_genome_or_no_prediction_is_refused(genes, genome, tmp_path):
    other = tmp_path / "other.fa"
    other.write_text(">chr22\nACGT\n")
    done = histpred("tracks", genes, other, "--assembly", "hg19", "-o", tmp_path / "hub")
    assert done.code == 1
    assert "is not the genome of" in done.err
    done = histpred("tracks", tmp_path, genome, "--assembly", "hg19", "-o", tmp_path / "hub")
    assert done.code == 1
    assert "no finished output of histpred predict: run.json cannot be read" in done.err
    done = histpred("tracks", genes, genome, "--assembly", "../x", "-o", tmp_path / "hub")
    assert done.code == 2
    assert not (tmp_path / "hub").exists()


def test_a_damaged_table_leaves_no_hub(genes, genome, tmp_path):
    broken = tmp_path / "scores"
    shutil.copytree(genes, broken)
    table = gzip.decompress((broken / "scores.tsv.gz").read_bytes()).decode().splitlines()
    table[3] = table[3].rsplit("\t", 1)[0] + "\tnan"
    (broken / "scores.tsv.gz").write_bytes(gzip.compress("\n".join(table).encode()))
    done = histpred("tracks", broken, genome, "--assembly", "hg19", "-o", tmp_path / "hub")
    assert done.code == 1
    assert f"{broken}: files missing or altered since: scores.tsv.gz" in done.err
    assert not (tmp_path / "hub").exists()


@pytest.fixture
def odd_names(tmp_path) -> Path:
    """A genome whose contigs have names that some formats cannot hold."""
    genome = tmp_path / "odd.fa"
    genome.write_text("".join(f">{name}\n{'ACGTTGCAAC' * 300}\n" for name in ("#1", "{x}")))
    return genome


@pytest.mark.parametrize("verb", ["predict", "scatter"])
def test_names_that_tables_cannot_hold_are_refused_before_any_work(verb, odd_names, tmp_path):
    given = (odd_names, odd_names, "--bundle", "human-promoter", "--tile", "200")
    done = histpred(verb, *given, "-o", tmp_path / "out")
    assert done.code == 1
    assert said_well(done.err)
    assert "cannot hold the name of 1 contig with rows: '#1'" in done.err
    assert not (tmp_path / "out").exists()


def test_a_prediction_with_such_names_is_refused_by_tracks_and_report(
    odd_names, tmp_path, monkeypatch
):
    """Earlier releases wrote such predictions; they ended the report as a fault of histpred."""
    monkeypatch.setattr("histpred.scoring.predict.FORMATS", ())
    scores = tmp_path / "scores"
    assert histpred("predict", odd_names, odd_names, "--tile", "200", "-o", scores).code == 0
    for verb in (["tracks", scores, odd_names, "-o", tmp_path / "hub"], ["report", scores]):
        done = histpred(*verb)
        assert done.code == 1
        assert said_well(done.err)
        assert "scores.tsv.gz: a t" in done.err
        assert "'#1'" in done.err
        assert "bug" not in done.err
