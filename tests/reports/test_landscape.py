"""What a table of scores says as a whole, beside the same worked out row by row."""

from __future__ import annotations

import gzip
import random
from collections import Counter, defaultdict

import pytest

from histpred.core.columns import HEADER
from histpred.core.errors import InputError
from histpred.reports import landscape
from histpred.reports.landscape import BINS, SAMPLE, STRETCH, TOP, read_landscape
from histpred.scoring import tables

MARKS = ("H3K4me3", "H3K27ac", "H3K9me3")
THRESHOLDS = (0.5, 0.9, 1.0)


def table_of(folder, rows, thresholds=THRESHOLDS):
    """Rows of chrom, start, end, name, biotype and probabilities, as a prediction's tables."""
    lines = ["\t".join((*HEADER, *MARKS))]
    calls = []
    for chrom, start, end, name, biotype, *values in rows:
        shown = [f"{value:.6g}" for value in values]
        lines.append(
            "\t".join(map(str, (chrom, start, end, name, "+", name, biotype, 0, 1, *shown)))
        )
        for mark, value, threshold in zip(MARKS, values, thresholds, strict=True):
            if value >= threshold:
                label = tables.bed_name(tables.printable_ascii(name), mark)
                calls.append(f"{chrom}\t{start}\t{end}\t{label}\t9\t+\t0\t0\t0,0,0")
    for file, content in (("scores.tsv.gz", lines), ("calls.bed.gz", calls)):
        text = "".join(f"{line}\n" for line in content)
        (folder / file).write_bytes(gzip.compress(text.encode()))
    return folder


@pytest.fixture(scope="module")
def rows():
    chance = random.Random(7)
    rows = []
    for contig in ("chr1", "chr2"):
        starts = sorted(chance.randrange(1_000_000) for _ in range(2_600))
        for start in starts:
            biotype = chance.choice(("lncRNA", "miRNA", "."))
            values = [round(chance.random(), 4), round(chance.random() ** 3, 4), 0.1]
            rows.append((contig, start, start + 400, f"g{len(rows)}", biotype, *values))
    return rows


@pytest.mark.parametrize("at_once", [97, 100_000])
def test_sums_are_those_of_the_rows(rows, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(tables, "AT_ONCE", at_once)
    found = read_landscape(table_of(tmp_path, rows), THRESHOLDS, len(rows))
    assert (found.marks, found.windows, found.by) == (MARKS, len(rows), "biotype")
    for number, threshold in enumerate(THRESHOLDS):
        values = [row[5 + number] for row in rows]
        assert found.called[number] == sum(value >= threshold for value in values)
        assert found.sums[number] == pytest.approx(sum(values))
        bins = Counter(min(int(value * BINS), BINS - 1) for value in values)
        assert found.histograms[number].tolist() == [bins[i] for i in range(BINS)]
    by_biotype = defaultdict(list)
    for row in rows:
        by_biotype["not stated" if row[4] == "." else row[4]].append(row)
    assert {group.name: group.windows for group in found.groups} == {
        name: len(own) for name, own in by_biotype.items()
    }
    assert {group.name: group.called[0] for group in found.groups} == {
        name: sum(row[5] >= 0.5 for row in own) for name, own in by_biotype.items()
    }
    assert found.with_calls == sum(row[5] >= 0.5 or row[6] >= 0.9 for row in rows)
    assert found.ends == {
        contig: max(row[2] for row in rows if row[0] == contig) for contig in ("chr1", "chr2")
    }


def kept(locus):
    """A locus as a row of the table."""
    place = locus.chrom, locus.start, locus.end, locus.name, locus.biotype
    return (*place, *locus.probabilities.tolist())


def test_the_sample_is_evenly_spaced_and_small(rows, tmp_path):
    found = read_landscape(table_of(tmp_path, rows), THRESHOLDS, len(rows)).sample
    every = -(-len(rows) // SAMPLE)
    assert [kept(locus) for locus in found] == rows[::every]
    assert len(found) <= SAMPLE
    few = rows[:20]
    found = read_landscape(table_of(tmp_path, few), THRESHOLDS, len(few)).sample
    assert [kept(locus) for locus in found] == few
    assert [locus.called.tolist() for locus in found] == [
        [row[5] >= 0.5, row[6] >= 0.9, False] for row in few
    ]


@pytest.mark.parametrize("at_once", [311, 100_000])
def test_top_loci_are_the_best_of_their_stretches(rows, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(tables, "AT_ONCE", at_once)
    found = read_landscape(table_of(tmp_path, rows), THRESHOLDS, len(rows)).top
    for number, (name, threshold) in enumerate(zip(MARKS, THRESHOLDS, strict=True)):
        ranked = sorted(
            (row for row in rows if row[5 + number] >= threshold), key=lambda row: -row[5 + number]
        )
        stretches = {}
        for row in ranked:
            stretches.setdefault((row[0], row[1] // STRETCH), row)
        expected = list(stretches.values())[:TOP]
        assert [kept(locus) for locus in found.get(name, ())] == expected
    assert "H3K9me3" not in found  # never called


def test_contigs_stand_in_for_biotypes_where_there_is_one(rows, tmp_path):
    same = [(*row[:4], ".", *row[5:]) for row in rows]
    found = read_landscape(table_of(tmp_path, same), THRESHOLDS, len(same))
    assert found.by == "contig"
    assert [group[:2] for group in found.groups] == [("chr1", 2_600), ("chr2", 2_600)]


def test_many_groups_become_one(tmp_path):
    rows = [(f"c{i:02}", j, j + 1, "g", ".", 0.6, 0.1, 0.1) for i in range(40) for j in range(i)]
    found = read_landscape(table_of(tmp_path, rows), THRESHOLDS, len(rows)).groups
    assert len(found) == landscape.GROUPS
    assert found[0].name == "c39"
    assert found[-1].name == "25 others"
    assert sum(group.windows for group in found) == len(rows)
    assert sum(group.called[0] for group in found) == len(rows)


def test_names_that_look_like_something_else_stay_names(tmp_path):
    names = ["NA", "nan", "1e5", '"quoted', "007", "été", "x" * 10_000]
    rows = [
        ("1", STRETCH * i, STRETCH * i + 9, name, "NA", 0.9, 0.95, 0.1)
        for i, name in enumerate(names)
    ]
    found = read_landscape(table_of(tmp_path, rows), THRESHOLDS, len(rows))
    assert [locus.name for locus in found.sample] == names
    assert {locus.chrom for top in found.top.values() for locus in top} == {"1"}


def test_a_table_of_other_marks_is_refused(rows, tmp_path):
    with pytest.raises(InputError, match="has 3 marks, but the bundle has 2"):
        read_landscape(table_of(tmp_path, rows), (0.5, 0.5), len(rows))


def test_what_six_digits_hide_the_calls_tell(tmp_path):
    threshold = 0.1234567  # 0.123457 in the table
    values = [0.1234566, 0.1234567, 0.1234574, 0.1234561, 0.5, 0.1234564, 0.2, 0.1234566]
    rows = [("c", i // 2, i // 2 + 1, "g", ".", value, 0.1, 0.1) for i, value in enumerate(values)]
    folder = table_of(tmp_path, rows, (threshold, 0.9, 1.0))
    found = read_landscape(folder, (threshold, 0.9, 1.0), len(rows))
    assert found.called.tolist() == [sum(value >= threshold for value in values), 0, 0]


def test_calls_of_other_windows_are_refused(rows, tmp_path):
    table_of(tmp_path, rows)
    path = tmp_path / "calls.bed.gz"
    calls = gzip.decompress(path.read_bytes()).decode().splitlines()

    def refused(changed, words):
        path.write_bytes(gzip.compress("\n".join(changed).encode()))
        with pytest.raises(InputError, match=words):
            read_landscape(tmp_path, THRESHOLDS, len(rows))

    refused(calls[:-1], r"a call of H3K\w+ at chr2:\d+-\d+ \(g\d+\) is missing")
    refused([*calls, calls[-1]], f":{len(calls) + 1}: a call of no row")
    # The first window without a call of H3K4me3 gets one.
    chrom, start, end, name, *_ = next(row for row in rows if row[5] < 0.5 and row[6] < 0.9)
    extra = f"{chrom}\t{start}\t{end}\t{name}|H3K4me3\t9\t+\t0\t0\t0,0,0"
    place = sum(row[1] < start and row[0] == chrom for row in rows)
    before = sum((row[5] >= 0.5) + (row[6] >= 0.9) for row in rows[:place])
    refused([*calls[:before], extra, *calls[before:]], f"at chr1:{start}-{end} .* is below its")
