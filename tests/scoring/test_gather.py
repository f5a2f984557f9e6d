"""The promise of gather: what predict made of shards is, byte for byte, one prediction."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from histpred import verbs
from histpred.bundle.encoding import bundle_encoder, choose_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.errors import HistpredError, InputError, OutputError, UsageError
from histpred.core.execution import Execution
from histpred.genome.request import Request
from histpred.genome.table import TABLE_HEADER
from histpred.scoring.gather import gather
from histpred.scoring.opened import NO_GPU
from histpred.scoring.predict import predict
from histpred.scoring.scatter import scatter
from support import (
    random_bed_rows,
    random_genome,
    random_transcripts,
    write_bed,
    write_fasta,
    write_gtf,
)
from support.command_line import tables, tree
from support.records import assert_recorded_like

BUNDLE = str(load_bundle().directory)
ODD_ROWS = [
    ("chr2", 7, 7, "of no length", 0, "+"),
    ("chrUn", 7, 90, "on no contig", 0, "+"),
    ("chr2", 3900, 4100, "past the end", 0, "-"),
    ("chr1", 100, 200, "naïve β", 0, "-"),
    ("chrN", 100, 200, "of N", 0, "-"),
    ("chr1", 100, 200, "a b", 0, "-"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """rows.bed, genes.gtf with rna.fa, and none.bed (no rows) on genome.fa, with a stretch of N."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(4)
    genome = random_genome(rng, {"chr1": 9000, "chr2": 4000, "chr10": 3000}, n_fraction=0.35)
    genome["chrN"] = "N" * 4000 + "ACGT" * 10
    write_fasta(folder / "genome.fa", genome)
    rows = [*random_bed_rows(rng, genome, 70), *ODD_ROWS]
    rng.shuffle(rows)
    write_bed(folder / "rows.bed", rows)
    transcripts = random_transcripts(rng, genome, 20)
    write_gtf(folder / "genes.gtf", transcripts)
    # Sequences that are not in the genome; that of T3 is missing.
    rna = {
        one.transcript_id: "".join(rng.choices("ACGT", k=sum(b - a for a, b in one.exons)))
        for one in transcripts
        if one.transcript_id != "T3"
    }
    write_fasta(folder / "rna.fa", rna)
    (folder / "none.bed").write_text("# nothing\n")
    return folder


def request_of(inputs: Path, name: str, transcripts: tuple[str, ...] = (), **changes) -> Request:
    files = tuple(str(inputs / name) for name in transcripts)
    fasta = str(inputs / "genome.fa")
    return Request(str(inputs / name), fasta, transcripts=files, **changes)


def whole(inputs: Path, out: Path, name: str = "rows.bed", window: str | None = None, **changes):
    """One plain prediction."""
    choice = bundle_encoder(load_bundle(BUNDLE), window)
    execution = Execution("cpu", changes.pop("precision", "auto"))
    request = request_of(inputs, name, **changes)
    return predict(request, choice, out, execution)


def scattered(
    inputs: Path,
    out: Path,
    shard_bases: int,
    name: str = "rows.bed",
    window: str | None = None,
    **changes,
) -> list[Path]:
    """The shards of a scattering; none before."""
    choice = choose_encoder(BUNDLE, window=window)
    changes.pop("precision", None)
    request = request_of(inputs, name, **changes)
    scatter(request, choice, out, shard_bases)
    return sorted((out / "shards").iterdir())


def part(inputs: Path, shard: Path, out: Path, **options) -> Path:
    """A shard's prediction."""
    whole(inputs, out, str(shard), **options)
    return out


def parts_of(inputs: Path, folder: Path, shard_bases: int, **options) -> list[Path]:
    """Scatter to folder/scattered, and predict each shard."""
    shards = scattered(inputs, folder / "scattered", shard_bases, **options)
    same = {name: options[name] for name in ("window", "transcripts") if name in options}
    return [part(inputs, shard, folder / shard.stem, **same) for shard in shards]


def shard_bases_for(inputs: Path, count: int, folder: Path, **options) -> int:
    """How large shards must be for there to be `count`; 1 bp gives each window its own."""
    scattered(inputs, folder / "all", 10**9, **options)
    bases = json.loads((folder / "all" / "scatter.json").read_text())["result"]["bases"]
    return max(-(-bases // count), 1)


# The promise

CASES = {
    "BED": {},
    "BED as it is": {"window": "interval"},
    "GTF": {"name": "genes.gtf"},
    "GTF, some biotypes": {"name": "genes.gtf", "biotypes": ("lncRNA", "miRNA")},
    "spliced transcripts": {"name": "genes.gtf", "window": "spliced"},
    "sequences of transcripts": {
        "name": "genes.gtf",
        "window": "spliced",
        "transcripts": ("rna.fa",),
    },
    "a sequence for each gene": {
        "name": "genes.gtf",
        "window": "spliced",
        "level": "gene",
        "transcripts": ("rna.fa",),
    },
    "transcripts with context": {
        "name": "genes.gtf",
        "window": "context:700",
        "level": "transcript",
    },
    "no row": {"name": "none.bed"},
}
ALONE = ("BED", "GTF, some biotypes", "sequences of transcripts")  # also each window as a part


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_parts_in_any_order_is_one_prediction(case, inputs, tmp_path):
    options = CASES[case]
    expected = whole(inputs, tmp_path / "whole", **options)
    found = set()
    for count in (1, 2, 3, *((7, 10**9) if case in ALONE else ())):
        folder = tmp_path / str(count)
        bases = shard_bases_for(inputs, count, folder, **options)
        parts = parts_of(inputs, folder, bases, **options)
        found.add(len(parts))
        random.Random(count).shuffle(parts)
        result = gather(folder / "scattered", parts, folder / "out")
        assert tables(folder / "out") == tables(tmp_path / "whole")
        same = {"embedded": result.embedded, "reused": result.reused}
        assert result == expected.model_copy(update=same)
        assert_same_record(folder / "out", tmp_path / "whole")
    most = expected.scored or 1
    assert found >= ({1} if most == 1 else {1, 2, 3})
    assert max(found) == (most if case in ALONE else min(most, 3))


def assert_same_record(out: Path, plain: Path) -> None:
    """run.json is that of a plain prediction, but for times, parts and what is counted in them."""
    parts, result = assert_recorded_like("run.json", out, plain)
    assert sum(each["windows"] for each in parts) == result["scored"]


def test_the_control(inputs, tmp_path):
    """The inputs have what is claimed: rows that are skipped for each reason, both strands."""
    result = whole(inputs, tmp_path / "out")
    assert set(result.skipped) == {"too-many-n", "unknown-contig", "zero-length"}
    assert result.past_end == 1
    assert result.scored > 30
    assert result.calls > 10
    text = gzip.decompress((tmp_path / "out" / "scores.tsv.gz").read_bytes()).decode()
    assert {line.split("\t")[4] for line in text.splitlines()[1:]} == {"+", "-"}


def test_rows_that_repeat_make_shards_with_the_same_bytes(inputs, tmp_path):
    """One part may then stand for several, and as many parts as shards are not too many."""
    write_bed(tmp_path / "rows.bed", [("chr1", 100, 1100, "same", 0, "+")] * 6)
    (tmp_path / "genome.fa").symlink_to(inputs / "genome.fa")
    whole(tmp_path, tmp_path / "whole")
    parts = parts_of(tmp_path, tmp_path, 3_000)
    assert len({path.read_bytes() for path in (tmp_path / "scattered" / "shards").iterdir()}) == 1
    for number, some in enumerate([parts, parts[:1], parts[1:]]):
        gather(tmp_path / "scattered", some, tmp_path / f"out{number}")
        assert tables(tmp_path / f"out{number}") == tables(tmp_path / "whole")
        assert_same_record(tmp_path / f"out{number}", tmp_path / "whole")
    more = part(tmp_path, tmp_path / "scattered" / "shards" / "0001.tsv", tmp_path / "more")
    with pytest.raises(UsageError, match="are both of shards/"):
        gather(tmp_path / "scattered", [*parts, more], tmp_path / "refused")


@pytest.mark.parametrize("where", ["header of the GTF", "sequence"])
def test_what_is_known_of_another_species_is_said_as_by_predict(where, inputs, tmp_path):
    fasta = tmp_path / "genome.fa"
    if where == "sequence":
        fasta.write_text(">chrI\n" + "ACGTTGCATT" * 16_000 + "\n")
        rows = [("chrI", start, start + 500, "a", 0, "+") for start in (5000, 9000)]
        name = write_bed(tmp_path / "rows.bed", rows).name
    else:
        fasta.symlink_to(inputs / "genome.fa")
        line = "##species https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id=7227\n"
        (tmp_path / "genes.gtf").write_text(line + (inputs / "genes.gtf").read_text())
        name = "genes.gtf"
    expected = whole(tmp_path, tmp_path / "whole", name=name)
    parts = parts_of(tmp_path, tmp_path, 3_000, name=name)
    result = gather(tmp_path / "scattered", parts, tmp_path / "out")
    assert len(parts) > 1
    assert "extrapolation" in expected.warnings[0]
    assert result.warnings == expected.warnings
    assert_same_record(tmp_path / "out", tmp_path / "whole")


def test_that_no_gpu_could_be_used_is_said_once(inputs, tmp_path):
    parts = parts_of(inputs, tmp_path, 30_000)
    for folder in parts:
        edit(folder, lambda run: run["result"]["warnings"].extend(["of a shard", NO_GPU]))
    result = gather(tmp_path / "scattered", parts, tmp_path / "out")
    assert len(parts) > 1
    assert result.warnings[-1] == NO_GPU
    assert result.warnings.count(NO_GPU) == 1
    assert "of a shard" not in result.warnings


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    """Change the run.json of a prediction."""
    run = json.loads((folder / "run.json").read_text())
    change(run)
    (folder / "run.json").write_text(json.dumps(run))


# Tiles: runs of them are the rows of shards


@pytest.fixture(scope="module")
def tiled(tmp_path_factory) -> Path:
    """rows.bed, overlapping and on both strands, on genome.fa: N, contig ends, several blocks."""
    folder = tmp_path_factory.mktemp("tiled")
    rng = random.Random(6)
    genome = random_genome(rng, {"chr1": 61_130, "chr2": 9_000, "chr10": 150})
    genome["chr1"] = genome["chr1"][:20_000] + "N" * 3_450 + genome["chr1"][23_450:]
    genome["chrN"] = "N" * 4000 + "ACGT" * 10
    write_fasta(folder / "genome.fa", genome)
    rows = [
        ("chr1", 30, 61_130, "all", 0, "+"),
        ("chr1", 100, 900, "first", 0, "+"),
        ("chr1", 25_500, 25_700, "at the edge of a block", 0, "-"),
        ("chr1", 50_000, 61_130, "to the end", 0, "-"),
        ("chr2", 8_999, 9_000, "the last base", 0, "-"),
        ("chr2", 10, 2_000, "twice", 0, "."),
        ("chr2", 10, 2_000, "twice", 0, "."),
        ("chr10", 0, 150, "short", 0, "-"),
        *ODD_ROWS,
    ]
    write_bed(folder / "rows.bed", rows)
    return folder


def scored_tiles(inputs: Path, name: str, out: Path, tile: int, marks: tuple[str, ...] = ()):
    choice = bundle_encoder(load_bundle(BUNDLE), tile=tile)._replace(marks=marks)
    request = Request(str(inputs / name), str(inputs / "genome.fa"))
    return predict(request, choice, out, Execution("cpu"))


@pytest.mark.parametrize("name", ["rows.bed", "genome.fa"])
@pytest.mark.parametrize("tile", [200, 400, 700])
def test_runs_of_tiles_are_cut_anywhere_and_are_one_prediction(tile, name, tiled, tmp_path):
    """Tiles of 700 bp share no bins, so their work is what is read for each."""
    expected = scored_tiles(tiled, name, tmp_path / "whole", tile)
    each = 30_200 if tile == 700 else tile
    for tiles_of_a_shard in (23, 101, 10**9) if tile == 200 else (11,):
        folder = tmp_path / str(tiles_of_a_shard)
        choice = choose_encoder(BUNDLE, tile=tile)
        request = Request(str(tiled / name), str(tiled / "genome.fa"))
        made = scatter(request, choice, folder / "scattered", tiles_of_a_shard * each)
        shards = sorted((folder / "scattered" / "shards").iterdir())
        assert made.windows == expected.scored
        assert (made.rows, made.skipped) == (expected.rows, expected.skipped)
        assert len(shards) == (1 if tiles_of_a_shard == 10**9 else made.shards) == made.shards
        lines = sum(len(shard.read_text().splitlines()) - 1 for shard in shards)
        assert lines < len(shards) + 30
        parts = [folder / shard.stem for shard in shards]
        for shard, out in zip(shards, parts, strict=True):
            scored_tiles(tiled, str(shard), out, tile)
        result = gather(folder / "scattered", parts, folder / "out")
        assert tables(folder / "out") == tables(tmp_path / "whole")
        assert result == expected.model_copy(
            update={"embedded": result.embedded, "reused": result.reused}
        )
        assert_same_record(folder / "out", tmp_path / "whole")


@pytest.fixture(scope="module")
def tiled_parts(tiled, tmp_path_factory) -> tuple[Path, list[Path]]:
    """A scattering into tiles, and its parts; do not change them."""
    folder = tmp_path_factory.mktemp("parts")
    request = Request(str(tiled / "rows.bed"), str(tiled / "genome.fa"))
    scatter(request, choose_encoder(BUNDLE, tile=200), folder / "made" / "scattered", 30_000)
    shards = sorted((folder / "made" / "scattered" / "shards").iterdir())
    for shard in shards:
        scored_tiles(tiled, str(shard), folder / "made" / shard.stem, 200)
    return folder / "made" / "scattered", [folder / "made" / shard.stem for shard in shards]


def test_a_part_with_other_tiles_is_refused(tiled, tiled_parts, tmp_path):
    scattering, parts = tiled_parts
    shard = scattering / "shards" / "0002.tsv"
    scored_tiles(tiled, str(shard), tmp_path / "other", 100)
    words = "--window or --tile (tiles of 100 bp -> tiles of 200 bp)"
    refused(InputError, words, scattering, [parts[0], tmp_path / "other", *parts[2:]])
    whole(tiled, tmp_path / "uncut", str(shard), "interval")
    words = "--window or --tile (intervals -> tiles of 200 bp)"
    refused(InputError, words, scattering, [parts[0], tmp_path / "uncut", *parts[2:]])


def test_a_part_with_other_marks_is_refused_and_all_may_have_them(tiled, tiled_parts, tmp_path):
    scattering, parts = tiled_parts
    shards = sorted((scattering / "shards").iterdir())
    for shard in shards:
        scored_tiles(tiled, str(shard), tmp_path / shard.stem, 200, ("H3K4me3",))
    few = [tmp_path / shard.stem for shard in shards]
    words = "what differs: --marks (H3K4me3 -> H2AFZ, "
    refused(InputError, words, scattering, [parts[0], few[1], *parts[2:]])
    with pytest.raises(InputError) as caught:
        gather(scattering, [parts[0], few[1], *parts[2:]], tmp_path / "refused")
    assert "with the --marks, --call-precision and --precision of the other parts" in str(
        caught.value
    )

    scored_tiles(tiled, "rows.bed", tmp_path / "whole", 200, ("H3K4me3",))
    gather(scattering, few, tmp_path / "out")
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")
    assert_same_record(tmp_path / "out", tmp_path / "whole")


def test_a_part_without_its_table_is_refused(tiled, tiled_parts, tmp_path):
    scattering, parts = tiled_parts
    request = Request(str(scattering / "shards" / "0002.tsv"), str(tiled / "genome.fa"))
    choice = bundle_encoder(load_bundle(BUNDLE), tile=200)
    verbs.predict(request, choice, tmp_path / "other", Execution("cpu", table=False), True)
    words = f"{tmp_path / 'other'}: was predicted with --no-table, so it has no scores.tsv.gz"
    refused(InputError, words, scattering, [parts[0], tmp_path / "other", *parts[2:]])


# What does not belong together


@pytest.fixture(scope="module")
def shared_parts(inputs, tmp_path_factory) -> Path:
    """scattered/, 0001/, 0002/ ...: copy them before you change them."""
    folder = tmp_path_factory.mktemp("parts")
    parts_of(inputs, folder, 20_000)
    return folder


@pytest.fixture
def made(shared_parts, tmp_path) -> tuple[Path, list[Path]]:
    """A scattering and its parts, for this test alone."""
    folder = Path(shutil.copytree(shared_parts, tmp_path / "made"))
    parts = sorted(path for path in folder.iterdir() if path.name != "scattered")
    assert len(parts) > 3
    return folder / "scattered", parts


def refused(error: type[HistpredError], words: str, scattering: Path, parts: list[Path]) -> None:
    """Gathering fails so, and leaves everything as it was."""
    out = scattering.parent.parent / "refused"
    before = tree(scattering.parent)
    with pytest.raises(error) as caught:
        gather(scattering, parts, out)
    assert words in caught.value.message
    assert caught.value.hint
    assert len(str(caught.value)) < 900
    assert not out.exists()
    assert tree(scattering.parent) == before


def test_shards_without_a_part_are_named(made):
    scattering, parts = made
    words = "no part is the prediction of shards/0002.tsv"
    refused(UsageError, words, scattering, [parts[0], *parts[2:]])
    words = f"shards/0001.tsv, shards/0002.tsv, shards/0003.tsv and {len(parts) - 4} more"
    refused(UsageError, words, scattering, parts[-1:])


def test_two_parts_of_a_shard_are_named(made):
    scattering, parts = made
    other = Path(shutil.copytree(parts[1], scattering.parent / "again"))
    words = f"{parts[1]} and {other} are both of shards/0002.tsv"
    refused(UsageError, words, scattering, [*parts, other])


def test_one_folder_given_twice_counts_once(made, inputs, tmp_path):
    scattering, parts = made
    gather(scattering, [*parts, parts[0]], tmp_path / "out")
    whole(inputs, tmp_path / "whole")
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_a_part_of_another_annotation_is_refused(made, inputs, tmp_path):
    scattering, parts = made
    whole(inputs, tmp_path / "other", "genes.gtf")
    words = f"{tmp_path / 'other'}: not a prediction of a shard in {scattering}"
    refused(InputError, words, scattering, [*parts, tmp_path / "other"])


def test_a_part_of_another_genome_is_refused(made, inputs, tmp_path):
    scattering, parts = made
    lower = (inputs / "genome.fa").read_text().replace("A", "a")
    (tmp_path / "genome.fa").write_text(lower)
    shard = scattering / "shards" / "0002.tsv"
    other = part(tmp_path, shard, tmp_path / "other")
    refused(InputError, "FASTA sha256 (", scattering, [parts[0], other, *parts[2:]])


def edited_bundle(folder: Path) -> str:
    """The shipped bundle with another threshold."""
    bundle = Path(shutil.copytree(BUNDLE, folder / "edited"))
    fields = json.loads((bundle / "bundle.json").read_text())
    fields["marks"][0]["threshold"] = 0.123
    (bundle / "bundle.json").write_text(json.dumps(fields))
    return str(bundle)


def test_a_part_of_another_bundle_is_refused(made, inputs, tmp_path, monkeypatch):
    scattering, parts = made
    monkeypatch.setitem(globals(), "BUNDLE", edited_bundle(tmp_path))
    other = part(inputs, scattering / "shards" / "0002.tsv", tmp_path / "other")
    refused(InputError, "bundle (human-promoter ", scattering, [parts[0], other, *parts[2:]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: run["identity"].update(precision="fp16"), "precision (fp16 -> auto)"),
        (lambda run: run["encoder"].update(precision="fp16"), "encoder's precision (fp16 -> fp32)"),
        (lambda run: run["identity"].update(histpred="0.0"), "histpred (0.0 -> "),
    ],
)
def test_a_part_that_was_made_in_another_way_is_refused(change, words, made):
    scattering, parts = made
    edit(parts[1], change)
    refused(InputError, words, scattering, parts)


def test_all_parts_may_have_a_precision_of_their_own(made, inputs, tmp_path):
    scattering, parts = made
    shards = sorted((scattering / "shards").iterdir())
    parts = [part(inputs, shard, tmp_path / shard.stem, precision="fp32") for shard in shards]
    expected = whole(inputs, tmp_path / "whole", precision="fp32")
    result = gather(scattering, parts, tmp_path / "out")
    assert (result.rows, result.scored) == (expected.rows, expected.scored)
    assert result.calls == expected.calls
    assert_same_record(tmp_path / "out", tmp_path / "whole")


def test_a_part_that_lost_windows_is_refused(inputs, tmp_path):
    """A biotype chosen again would be that of the transcripts, not of their genes."""
    shards = scattered(inputs, tmp_path / "made" / "scattered", 10**9, "genes.gtf")
    lost = part(inputs, shards[0], tmp_path / "made" / "lost", biotypes=("miRNA",))
    refused(InputError, "windows of shards/0001.tsv", tmp_path / "made" / "scattered", [lost])


@pytest.mark.parametrize("name", ["scores.tsv.gz", "calls.bed.gz.tbi", "ledger.tsv"])
@pytest.mark.parametrize("damage", ["missing", "other"])
def test_a_part_that_was_altered_is_refused(name, damage, made):
    scattering, parts = made
    (parts[2] / name).unlink()
    if damage == "other":
        (parts[2] / name).write_bytes(b"other")
    words = f"{parts[2]}: files missing or altered since: {name}"
    refused(InputError, words, scattering, parts)


def test_a_part_that_is_not_finished_is_refused(made):
    scattering, parts = made
    (parts[2] / "run.json").unlink()
    words = f"{parts[2]}: no finished output of histpred predict: run.json cannot be read"
    refused(InputError, words, scattering, parts)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"outputs": {}}', "null", "\udcff"])
def test_a_run_json_that_predict_did_not_write_is_refused(content, made):
    scattering, parts = made
    (parts[2] / "run.json").write_text(content, errors="surrogateescape")
    refused(InputError, "run.json: not written by histpred predict", scattering, parts)


def test_a_ledger_that_was_altered_is_refused(made):
    scattering, parts = made
    (scattering / "ledger.tsv").write_text("mine")
    words = f"{scattering}: files missing or altered since: ledger.tsv"
    refused(InputError, words, scattering, parts)


def test_the_shards_themselves_need_not_be_there_any_more(made, inputs, tmp_path):
    scattering, parts = made
    shutil.rmtree(scattering / "shards")
    gather(scattering, parts, tmp_path / "out")
    whole(inputs, tmp_path / "whole")
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_what_scatter_did_not_write_is_refused(made):
    scattering, parts = made
    (scattering / "scatter.json").write_text("{}")
    refused(InputError, "scatter.json: not written by histpred scatter", scattering, parts)
    (scattering / "scatter.json").unlink()
    refused(InputError, "histpred scatter: scatter.json cannot be read", scattering, parts)


def test_shards_that_were_cut_for_an_encoder_are_refused(inputs, tmp_path):
    """Their limit of N and their warnings would be no bundle's."""
    choice = choose_encoder(name="kmer", window="promoter")
    request = Request(str(inputs / "rows.bed"), str(inputs / "genome.fa"))
    scattering = tmp_path / "made" / "scattered"
    scatter(request, choice, scattering, 10**9)
    only = part(inputs, scattering / "shards" / "0001.tsv", tmp_path / "made" / "0001")
    refused(UsageError, "not for a bundle", scattering, [only])


# The output folder


def test_a_finished_folder_is_left_alone_by_gather_and_by_predict(made, inputs, tmp_path):
    scattering, parts = made
    out = tmp_path / "out"
    first = gather(scattering, parts, out)
    before = tree(out)
    assert gather(scattering, parts[::-1], out) == first.model_copy(update={"fresh": False})
    assert whole(inputs, out) == first.model_copy(update={"fresh": False})
    assert tree(out) == before
    assert not first.model_copy(update={"fresh": False}).fresh
    assert first.fresh


def test_a_plain_prediction_is_the_same_to_gather(made, inputs, tmp_path):
    scattering, parts = made
    expected = whole(inputs, tmp_path / "out")
    before = tree(tmp_path / "out")
    assert gather(scattering, parts, tmp_path / "out") == expected.model_copy(
        update={"fresh": False}
    )
    assert tree(tmp_path / "out") == before


def test_another_prediction_is_replaced_only_when_told(made, inputs, tmp_path):
    scattering, parts = made
    out = tmp_path / "out"
    whole(inputs, out, "genes.gtf")
    before = tree(out)
    with pytest.raises(OutputError, match=r"holds another prediction; what differs: annotation"):
        gather(scattering, parts, out)
    assert tree(out) == before
    assert gather(scattering, parts, out, overwrite=True).fresh
    whole(inputs, tmp_path / "whole")
    assert tables(out) == tables(tmp_path / "whole")


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_ours_is_never_replaced(overwrite, made, tmp_path):
    scattering, parts = made
    for name in ("run.json", "thesis.txt"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("mine")
        with pytest.raises(OutputError):
            gather(scattering, parts, tmp_path / name, overwrite=overwrite)
        assert [path.name for path in (tmp_path / name).iterdir()] == [name]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_part_is_no_place_for_the_whole(overwrite, made):
    scattering, parts = made
    before = tree(scattering.parent)
    for out in (parts[1], scattering):
        with pytest.raises(OutputError):
            gather(scattering, parts, out, overwrite=overwrite)
    assert tree(scattering.parent) == before


def test_tables_that_do_not_fit_leave_nothing(made, monkeypatch):
    """Found out only when half is written."""
    scattering, parts = made
    monkeypatch.setattr("histpred.core.finished.altered", lambda folder, digests: [])
    with gzip.open(parts[2] / "scores.tsv.gz", "wb") as target:
        target.write(f"{TABLE_HEADER}\tother\n".encode())
    refused(InputError, "its columns are not those of the other parts", scattering, parts)
