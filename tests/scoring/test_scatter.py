"""Shards: what is written of the windows, and what is refused."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from histpred.bundle.encoding import choose_encoder
from histpred.bundle.folder import load_bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import InputError, OutputError, UsageError
from histpred.encoders.chunks import parse_chunks
from histpred.genome.request import Request
from histpred.scoring.scatter import read_scattered, scatter
from support import (
    random_bed_rows,
    random_genome,
    random_transcripts,
    write_bed,
    write_fasta,
    write_gtf,
)
from support.command_line import COLUMNS as COLUMN_NAMES
from support.command_line import contents, tree

COLUMNS = [f"#{COLUMN_NAMES[0]}", *COLUMN_NAMES[1:]]


# What is written


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(4)
    genome = random_genome(rng, {"chr1": 9000, "chr2": 4000, "chr10": 3000}, n_fraction=0.35)
    rows = [*random_bed_rows(rng, genome, 70), ("chrN", 100, 200, "of N", 0, "-")]
    genome["chrN"] = "N" * 4000 + "ACGT" * 10
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", [*rows, ("chr2", 7, 7, "empty", 0, "+")])
    write_gtf(folder / "genes.gtf", random_transcripts(rng, genome, 20))
    return folder


def run(inputs: Path, out: Path, shard_bases: int = 20_000, name: str = "rows.bed", **options):
    chunks, window = options.pop("chunks", None), options.pop("window", None)
    bundle = str(load_bundle().directory) if not options.get("encoder") else None
    choice = choose_encoder(bundle, options.pop("encoder", None), chunks, window)
    request = Request(str(inputs / name), str(inputs / "genome.fa"))
    return scatter(request, choice, out, shard_bases, **options)


def rows_of(shard: Path) -> list[list[str]]:
    header, *rows = [line.split("\t") for line in shard.read_text().splitlines()]
    assert header == [*COLUMNS, "blocks", "outside"]
    return rows


def test_scatter_json_says_what_the_shards_hold(inputs, tmp_path):
    window = window_for(load_bundle())
    each = window.upstream + window.downstream  # read whole
    result = run(inputs, tmp_path / "out", 20 * each)
    record = json.loads((tmp_path / "out" / "scatter.json").read_text())
    assert len(record["shards"]) == result.shards > 3
    total = 0
    for number, shard in enumerate(record["shards"], 1):
        assert shard["file"] == f"shards/{number:04}.tsv"
        rows = rows_of(tmp_path / "out" / shard["file"])
        assert shard["windows"] == len(rows) > 0
        bases = len(rows) * each
        assert shard["bases"] == shard["work"] == bases <= 20 * each + 2 * each
        total += bases
    assert result.bases == total
    assert result.windows == sum(shard["windows"] for shard in record["shards"])
    assert result.rows == result.windows + sum(result.skipped.values())
    assert {"zero-length", "too-many-n"} == set(result.skipped)
    assert record["expensive"] is False
    written = {path for path in tree(tmp_path / "out") if "." in path}
    assert written == {*record["outputs"], "scatter.json"}


def test_the_shards_together_are_the_table_of_windows_in_genome_order(inputs, tmp_path):
    run(inputs, tmp_path / "out", 5_000, "genes.gtf")
    rows = [
        row for shard in sorted((tmp_path / "out" / "shards").iterdir()) for row in rows_of(shard)
    ]
    places = [(row[0], int(row[1]), int(row[2])) for row in rows]
    assert places == sorted(places)
    assert len(set(map(tuple, rows))) == len(rows)


def test_the_same_command_gives_the_same_bytes(inputs, tmp_path):
    for name in "ab":
        run(inputs, tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_record_is_that_of_the_chunks(inputs, tmp_path):
    run(inputs, tmp_path / "out", name="genes.gtf", chunks="grid:100", window="body")
    record = read_scattered(tmp_path / "out")
    assert record.identity.chunks == str(parse_chunks("grid:100"))
    assert sum(shard.work for shard in record.shards) < record.result.bases


def test_without_a_bundle_windows_are_those_of_the_encoder(inputs, tmp_path):
    result = run(inputs, tmp_path / "out", encoder="kmer", window="body")
    assert result.windows > 40
    assert read_scattered(tmp_path / "out").identity.bundle is None


def test_spliced_windows_on_a_grid_are_refused_before_any_work(inputs, tmp_path):
    with pytest.raises(UsageError, match="grid"):
        run(inputs, tmp_path / "out", name="genes.gtf", chunks="grid:100", window="spliced")
    assert not (tmp_path / "out").exists()


def test_a_table_of_spliced_windows_on_a_grid_is_refused_too(inputs, tmp_path):
    """What is spliced there is known only when it is read."""
    run(inputs, tmp_path / "one", name="genes.gtf", window="spliced")
    (tmp_path / "genome.fa").symlink_to(inputs / "genome.fa")
    table = "one/shards/0001.tsv"
    assert run(tmp_path, tmp_path / "two", name=table).windows > 1
    with pytest.raises(UsageError, match="grid"):
        run(tmp_path, tmp_path / "three", name=table, chunks="grid:100")
    assert not (tmp_path / "three").exists()


# The folder


def test_a_finished_folder_is_left_alone(inputs, tmp_path):
    first = run(inputs, tmp_path / "out")
    before = tree(tmp_path / "out")
    assert run(inputs, tmp_path / "out") == first.model_copy(update={"fresh": False})
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shard_bases": 10_000}, r"shard bases \(20000 -> 10000\)"),
        ({"chunks": "grid:100"}, r"chunks \(None -> grid:100\)"),
        ({"window": "body"}, r"window \(\["),
        ({"name": "genes.gtf"}, r"annotation sha256 \("),
        ({"encoder": "kmer"}, r"bundle \(human-promoter .* -> None\)"),
    ],
)
def test_other_shards_are_refused_by_name(options, words, inputs, tmp_path):
    run(inputs, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(OutputError, match=f"holds other shards; what differs: .*{words}"):
        run(inputs, tmp_path / "out", **options)
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["shards/0002.tsv", "ledger.tsv"])
def test_a_damaged_folder_is_not_called_finished(name, inputs, tmp_path):
    run(inputs, tmp_path / "out")
    (tmp_path / "out" / name).write_text("other")
    with pytest.raises(OutputError, match=f"files missing or altered since: {name}"):
        run(inputs, tmp_path / "out")


def test_overwrite_leaves_no_shard_of_before(inputs, tmp_path):
    many = run(inputs, tmp_path / "out", 5_000)
    (tmp_path / "out" / "shards" / "notes.txt").write_text("mine")
    few = run(inputs, tmp_path / "out", 50_000, overwrite=True)
    assert few.shards < many.shards
    names = {f"{number:04}.tsv" for number in range(1, few.shards + 1)}
    found = {path.name for path in (tmp_path / "out" / "shards").iterdir()}
    assert found == names | {"notes.txt"}


def test_what_a_killed_run_left_is_no_shard(inputs, tmp_path):
    """It died while it published: scatter.json was gone, shards and scratch were there."""
    out = tmp_path / "out"
    run(inputs, out, 5_000)
    (out / "scatter.json").unlink()
    published = {
        str(path.relative_to(out)): [hashlib.sha256(path.read_bytes()).hexdigest()]
        for path in out.rglob("*.tsv")
    }
    (out / ".histpred-work").mkdir()
    (out / ".histpred-work" / "journal.json").write_text(json.dumps(published))
    few = run(inputs, out, 50_000)
    assert len(list((out / "shards").iterdir())) == few.shards
    assert {path.name for path in out.iterdir()} == {"scatter.json", "ledger.tsv", "shards"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_shard_in_the_same_folder_is_no_input(overwrite, inputs, tmp_path):
    run(inputs, tmp_path / "out")
    before = tree(tmp_path / "out")
    (tmp_path / "genome.fa").symlink_to(inputs / "genome.fa")
    with pytest.raises(OutputError, match="is an input too"):
        run(tmp_path, tmp_path / "out", name="out/shards/0001.tsv", overwrite=overwrite)
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema_version": "1.0"}', '{"schema_version": "9"}', "\udcff"]
)
def test_another_scatter_json_is_refused(content, inputs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "scatter.json").write_text(content, errors="surrogateescape")
    for overwrite in (False, True):
        with pytest.raises((InputError, OutputError), match="scatter"):
            run(inputs, out, overwrite=overwrite)
    assert [path.name for path in out.iterdir()] == ["scatter.json"]


# What cannot be scattered


@pytest.mark.parametrize("rows", ["chr1\t9\t5\n", "chr7\t0\t9\n", "chr1\t5\t5\n"])
def test_what_predict_refuses_leaves_nothing(rows, inputs, tmp_path):
    (tmp_path / "bad.bed").write_text(rows)
    (tmp_path / "genome.fa").symlink_to(inputs / "genome.fa")
    before = tree(tmp_path)
    with pytest.raises((InputError, UsageError)):
        run(tmp_path, tmp_path / "new" / "out", name="bad.bed", window="interval")
    assert tree(tmp_path) == before


def test_no_row_is_one_shard_without_windows(inputs, tmp_path):
    (tmp_path / "none.bed").write_text("# nothing\n")
    (tmp_path / "genome.fa").symlink_to(inputs / "genome.fa")
    result = run(tmp_path, tmp_path / "out", name="none.bed")
    assert (result.rows, result.windows, result.bases, result.shards) == (0, 0, 0, 1)
    assert rows_of(tmp_path / "out" / "shards" / "0001.tsv") == []
