"""A hub as a part of a prediction's folder, and what a hub may never do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from histpred.scoring.derived import remove_hub
from histpred.tracks.hub import likely_assembly, write_hub
from support.command_line import contents, histpred, said_well, tree, with_file_limit

pyBigWig = pytest.importorskip("pyBigWig", reason="needs pyBigWig")

HOSTILE = ("a'b\"c", "<i>&amp;", "été", "x" * 10_000, "|", "H3K4me3", "ends in a dot.")


@pytest.fixture(scope="module")
def genome(demo_data) -> Path:
    return demo_data / "genome.fa.gz"


@pytest.fixture(scope="module")
def genes(demo_data, genome, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("genes") / "scores"
    done = histpred("predict", demo_data / "genes.gtf.gz", genome, "-o", folder, "--tracks")
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def scores(genes, tmp_path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(genes, tmp_path / "scores"))


def test_predict_writes_what_tracks_writes(genes, genome, tmp_path):
    assert histpred("tracks", genes, genome, "-o", tmp_path / "hub").code == 0
    assert contents(genes / "hub") == contents(tmp_path / "hub")
    genomes = (genes / "hub" / "genomes.txt").read_text()
    assert genomes == "genome hg19\ntrackDb hg19/trackDb.txt\n"  # by its length


def test_the_same_command_again_has_nothing_to_do(demo_data, genome, scores):
    before = tree(scores)
    arguments = ("predict", demo_data / "genes.gtf.gz", genome, "-o", scores, "--tracks")
    assert histpred(*arguments).code == 0
    assert tree(scores) == before
    remove_hub(scores / "hub")
    assert not (scores / "hub").exists()
    assert histpred(*arguments).code == 0
    assert contents(scores) == {name: content for name, (_, content) in before.items()}


def test_a_hub_goes_with_its_prediction_and_nothing_else_does(demo_data, genome, scores):
    mine = {"mine.txt", "mine/rnaseq.bw", "mine/trackDb.txt", "hg19/other.bb"}
    (scores / "hub" / "mine").mkdir()
    for name in mine:
        (scores / "hub" / name).write_text("mine")
    (scores / "report.html").write_text("<html>mine</html>")
    arguments = ("predict", demo_data / "genes.bed", genome, "-o", scores, "--overwrite")
    assert histpred(*arguments).code == 0
    left = {str(path.relative_to(scores / "hub")) for path in (scores / "hub").rglob("*.*")}
    assert left == mine
    assert (scores / "report.html").read_text() == "<html>mine</html>"


def test_a_place_that_holds_something_else_is_refused_before_any_work(demo_data, genome, tmp_path):
    out = tmp_path / "scores"
    (out / "hub").mkdir(parents=True)
    (out / "hub" / "notes.txt").write_text("mine")
    done = histpred("predict", demo_data / "genes.bed", genome, "-o", out, "--tracks")
    assert done.code == 1
    assert said_well(done.err)
    assert f"{out / 'hub'} holds something other than a hub of histpred" in done.err
    assert {path.name for path in out.rglob("*")} == {"hub", "notes.txt"}


def test_what_a_killed_run_left_is_swept_up(demo_data, genome, scores):
    expected = contents(scores / "hub")
    remove_hub(scores / "hub")
    (scores / "hub" / ".histpred-work" / "hg19").mkdir(parents=True)
    (scores / "hub" / ".histpred-work" / "hg19" / "H3K4me3.bb").write_bytes(b"half")
    arguments = ("predict", demo_data / "genes.gtf.gz", genome, "-o", scores, "--tracks")
    assert histpred(*arguments).code == 0
    assert contents(scores / "hub") == expected


def test_a_hub_under_another_assembly_replaces_the_first_wholly(genes, genome, tmp_path):
    hub = tmp_path / "hub"
    write_hub(genes, str(genome), hub, "hg19")
    write_hub(genes, str(genome), hub, "hg38", overwrite=True)
    write_hub(genes, str(genome), tmp_path / "fresh", "hg38")
    assert contents(hub) == contents(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("lengths", "fasta", "expected"),
    [
        ([249250621, 1000], "a.fa", "hg19"),
        ([248956422], "a.fa", "hg38"),
        ([230218, 813184], "a.fa", "sacCer3"),
        ([1234], "dir/My_plant.v2.fa.gz", "My_plant"),
        ([1234], "1.fa", "genome"),
        ([1234], "-", "genome"),
    ],
)
def test_assemblies_are_known_by_their_chromosomes(lengths, fasta, expected):
    assert likely_assembly(lengths, fasta) == expected


@pytest.mark.parametrize("assembly", ["hg19", "plant"])
def test_every_session_names_every_track(genes, genome, tmp_path, assembly):
    hub = tmp_path / "hub"
    write_hub(genes, str(genome), hub, assembly)
    tracks = {f"{assembly}/{path.name}" for path in (hub / assembly).glob("*.bb")}
    sizes = f"{assembly}/contigs.chrom.sizes"
    assert (hub / sizes).read_text().startswith("chr22\t")

    whole, session = (
        json.loads((hub / f"igv-session{which}.json").read_text()) for which in ("-all", "")
    )
    assert {track["url"] for track in whole["tracks"]} == tracks
    shown = {track["url"] for track in session["tracks"]}
    assert len(tracks) - len(shown) == 2  # of eight marks, six
    assert session.get("genome", session.get("reference", {}).get("fastaURL")) in (assembly, sizes)
    assert ("genome" in session) == (assembly == "hg19")

    xml = ElementTree.parse(hub / "igv-session.xml").getroot()
    assert {resource.get("path") for resource in xml.iter("Resource")} == tracks
    assert {track.get("id") for track in xml.iter("Track")} >= tracks
    hidden = {track.get("id") for track in xml.iter("Track") if track.get("visible") == "false"}
    assert hidden == tracks - shown

    config = json.loads((hub / "jbrowse-config.json").read_text())
    assert [one["name"] for one in config["assemblies"]] == [assembly]
    urls = {one["trackId"]: one["adapter"]["bigBedLocation"]["uri"] for one in config["tracks"]}
    assert set(urls.values()) == tracks
    assert len(urls) == len(config["tracks"])
    (view,) = config["defaultSession"]["views"]
    assert {urls[name] for name in view["init"]["tracks"]} == shown


def test_names_are_safe_whatever_they_were(demo_data, genome, tmp_path):
    lines = (demo_data / "genes.bed").read_text().splitlines()[: len(HOSTILE)]
    rows = [
        "\t".join([*line.split("\t")[:3], name, *line.split("\t")[4:]])
        for line, name in zip(lines, HOSTILE, strict=True)
    ]
    (tmp_path / "genes.bed").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = histpred(
        "predict", tmp_path / "genes.bed", genome, "-o", tmp_path / "scores", "--tracks"
    )
    assert done.code == 0, done.err
    for path in (tmp_path / "scores" / "hub" / "hg19").glob("*.bb"):
        with pyBigWig.open(str(path)) as reader:
            entries = reader.entries("chr22", 0, reader.chroms("chr22")) or []
        names = [rest.split("\t")[0] for *_, rest in entries]
        assert names or path.name == "calls.bb"
        assert all(0 < len(name) <= 255 for name in names)
        assert all(letter.isascii() and letter.isprintable() for letter in "".join(names))
        assert not set(' <>"') & set("".join(names))


@pytest.mark.parametrize("limit", [300, 8_000])
def test_a_full_disk_leaves_no_half_hub(genes, genome, tmp_path, limit):
    """A limit on the size of files stands for a full disk; larger ones let it get further."""
    before = tree(genes)
    done = with_file_limit(limit, "tracks", genes, genome, "-o", tmp_path / "hub", "-q")
    assert done.code == 75, done.err
    assert said_well(done.err)
    assert "disk is full" in done.err
    assert not (tmp_path / "hub").exists()
    assert tree(genes) == before
    assert histpred("tracks", genes, genome, "-o", tmp_path / "hub").code == 0


@pytest.mark.parametrize("assembly", ["hub.txt", "igv-session.json", ".hidden", "a/b"])
def test_an_assembly_that_names_no_folder_is_refused(genes, genome, tmp_path, assembly):
    out = tmp_path / "hub"
    done = histpred("tracks", genes, genome, "-o", out, "--assembly", assembly)
    assert done.code == 2
    assert not out.exists()


@pytest.mark.parametrize("assembly", ["genome", "columns", "lock"])
def test_an_assembly_may_be_called_anything(genes, genome, tmp_path, assembly):
    write_hub(genes, str(genome), tmp_path / "hub", assembly)
    assert (tmp_path / "hub" / assembly / "trackDb.txt").exists()


# Marks that are not predicted, and what calls promise


@pytest.fixture(scope="module")
def stated(tmp_path_factory):
    pytest.importorskip("torch", reason="needs torch")
    from support.random_bundle import stated_prediction

    return stated_prediction(tmp_path_factory.mktemp("stated"))


def test_a_mark_that_is_not_predicted_has_no_track_and_the_page_says_why(stated, tmp_path):
    hub = write_hub(stated.folder, str(stated.fasta), tmp_path / "hub", "plant")
    assert hub.marks == ("H3K27ac", "H3K4me3")
    names = {path.name for path in (tmp_path / "hub" / "plant").iterdir()}
    marks = {"H3K27ac.bb", "H3K4me3.bb", "calls.bb", "annotation.bb"}
    assert names == {*marks, "marks.html", "trackDb.txt", "contigs.chrom.sizes"}
    page = (tmp_path / "hub" / "plant" / "marks.html").read_text()
    assert "<td>H3K27ac</td><td>0.500</td><td>0.800</td><td>0.600</td><td></td>" in page
    assert "<td>H3K4me3</td><td></td><td></td><td></td><td>never called</td>" in page
    assert "not predicted, so it has no track: too few genes carry it" in page
    assert "<p>It was trained on nothing.</p>" in page
    for text, path in (
        ("plant/trackDb.txt", "marks.html"),
        ("one-file-hub.txt", "plant/marks.html"),
    ):
        settings = (tmp_path / "hub" / text).read_text().splitlines()
        assert settings.count(f"html {path}") == 5  # the super track, rows, calls, two classes
    remove_hub(tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_a_hostile_reason_is_text(stated, tmp_path):
    scores = Path(shutil.copytree(stated.folder, tmp_path / "scores"))
    record = json.loads((scores / "run.json").read_text())
    record["marks"][1]["unpredicted"] = "<script>x</script>"
    (scores / "run.json").write_text(json.dumps(record))
    write_hub(scores, str(stated.fasta), tmp_path / "hub", "plant")
    page = (tmp_path / "hub" / "plant" / "marks.html").read_text()
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_without_a_table_a_mark_that_is_not_predicted_has_no_track(tmp_path):
    """The tiles of a bundle for intervals go from the scorer to the tracks."""
    pytest.importorskip("torch", reason="needs torch")
    from support.random_bundle import stated_prediction

    made = stated_prediction(tmp_path)
    manifest = json.loads((made.bundle / "bundle.json").read_text())
    reach = {"upstream": 200, "downstream": 200, "max_n_fraction": 0.9}
    window = {"kind": "interval", "whole": True, **reach}
    manifest["interval"] = {"window": window, "resolution": 200, "marks": manifest["marks"]}
    (made.bundle / "bundle.json").write_text(json.dumps(manifest))
    options = ("--bundle", made.bundle, "--tile", "500", "--tracks")
    for name, more in (("table", ()), ("none", ("--no-table",))):
        out = tmp_path / name
        done = histpred("predict", made.fasta, "-o", out, *options, *more)
        assert done.code == 0, done.err
    hubs = [contents(tmp_path / name / "hub") for name in ("table", "none")]
    assert set(hubs[0]) == set(hubs[1])
    signal = {name for name in hubs[0] if name.endswith(".bw")}
    assert signal == {"genome/H3K27ac.bw", "genome/H3K4me3.bw"}
