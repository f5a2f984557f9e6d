"""Shards of a VCF: what is written of it and of its windows, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pysam
import pytest

from histpred.core.errors import InputError, OutputError
from histpred.genome.vcf import open_variants
from histpred.genome.vcf_note import PREFIX

pytest.importorskip("torch", reason="needs torch")

from support.command_line import contents, histpred, said_well
from support.random_bundle import stated_bundle
from support.scattered_variants import Case, ScatteredInputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> ScatteredInputs:
    folder = tmp_path_factory.mktemp("inputs")
    stated_bundle(folder / "stated")
    return ScatteredInputs(folder)


@pytest.fixture(scope="module")
def case(inputs) -> Case:
    return Case(bundle=str(inputs.folder / "stated"))


def text_of(path: Path) -> list[str]:
    with gzip.open(path, "rt") as lines:
        return lines.read().splitlines()


def test_parts_are_runs_of_records_with_the_whole_header(inputs, case, tmp_path):
    given = (inputs.folder / "a.vcf").read_text().splitlines()
    shards = inputs.scatter(case, tmp_path / "out", 12)
    header = [line for line in given if line.startswith("#")]
    found = []
    for shard in shards:
        lines = text_of(shard)
        note = [line for line in lines if line.startswith(PREFIX)]
        assert len(note) == 1
        assert [one for one in lines if one.startswith("#") and one not in note] == header
        found.append([line for line in lines if not line.startswith("#")])
        with pysam.VariantFile(str(shard)) as read:
            assert sum(1 for _ in read) == len(found[-1])
    assert [line for some in found for line in some] == given[len(header) :]
    record = json.loads((tmp_path / "out" / "scatter.json").read_text())
    assert [one["records"] for one in record["shards"]] == [len(some) for some in found]
    alleles = [sum(line.split("\t")[4].count(",") + 1 for line in some) for some in found]
    assert [one["alleles"] for one in record["shards"]] == alleles
    assert record["result"]["alleles"] == sum(alleles)
    assert max(alleles) <= 12 + 2  # two more ALTs of a record
    assert min(alleles) >= 12 - 4
    assert any(len({line.split("\t")[0] for line in some}) == 2 for some in found)


def test_records_are_counted_as_in_the_whole(inputs, case, tmp_path):
    numbers = []
    for shard in inputs.scatter(case, tmp_path / "out", 9):
        with open_variants(shard) as part:
            assert part.shard is not None
            numbers += [record.number for record in part]
            assert not any(line.startswith(PREFIX) for line in part.header)
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_table_has_the_windows_that_read_an_allele_of_its_part(inputs, case, tmp_path):
    inputs.scatter(case, tmp_path / "out", 12)
    for table in sorted((tmp_path / "out" / "shards").glob("*.tsv")):
        windows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
        records = [
            line.split("\t")
            for line in text_of(table.with_name(f"{table.stem}.vcf.gz"))
            if not line.startswith("#")
        ]
        names = {"1": "chr1", "MT": "chrM"}
        for chrom, start, end, *_ in windows:
            assert any(
                names.get(one[0]) == chrom
                and int(start) <= int(one[1]) - 1 + len(one[3])
                and int(one[1]) - 1 < int(end)
                for one in records
            )
    record = json.loads((tmp_path / "out" / "scatter.json").read_text())
    held = [one["windows"] for one in record["shards"]]
    assert 0 in held
    assert sum(held) > record["result"]["windows"] == 3  # one is in two parts


def test_many_alts_of_a_record_stay_together(inputs, case, tmp_path):
    bases = inputs.variants[0]
    ref = bases[2][0]
    alts = ",".join(f"{ref}{'A' * number}" for number in range(1, 9))
    lines = [line for line in (inputs.folder / "a.vcf").read_text().splitlines() if line[0] == "#"]
    lines += [f"MT\t{bases[1]}\t.\t{ref}\t{alts}\t.\t.\t.\tGT\t."] * 2
    (tmp_path / "a.vcf").write_text("\n".join(lines) + "\n")
    shards = inputs.scatter(case._replace(vcf=str(tmp_path / "a.vcf")), tmp_path / "out", 1)
    assert [len(text_of(shard)) for shard in shards] == [len(lines)] * 2


def test_a_scattering_that_is_there_is_kept_and_another_replaces_it(inputs, case, tmp_path):
    bundle = ("--bundle", case.bundle)
    rows, fasta = inputs.folder / "rows.bed", inputs.folder / "g.fa"
    words = ("scatter", rows, fasta, *bundle, "-o", tmp_path / "out")
    vcf = ("--vcf", inputs.folder / "a.vcf")
    done = histpred(*words, *vcf, "--shard-alleles", "20")
    assert done.code == 0, done.err
    assert "3 windows of 6 rows" in done.err
    assert "skipped: too-many-n 1, unknown-contig 1" in done.err
    before = contents(tmp_path / "out" / "shards")
    again = histpred(*words, *vcf, "--shard-alleles", "20")
    assert "already holds these shards: nothing to do" in again.err
    other = histpred(*words, *vcf, "--shard-alleles", "40")
    assert "shard alleles (20 -> 40)" in other.err
    assert other.code == 1
    assert contents(tmp_path / "out" / "shards") == before
    assert histpred(*words, *vcf, "--shard-alleles", "40", "--overwrite").code == 0
    fewer = contents(tmp_path / "out" / "shards")
    assert fewer.keys() < before.keys()
    prediction = histpred(*words)
    assert "was not written by histpred" in prediction.err
    assert histpred(*words, "--overwrite").code == 0
    assert set(contents(tmp_path / "out" / "shards")) == {"0001.tsv"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--vcf", "a.vcf", "--tile", "200"), "--vcf and --tile exclude each other"),
        (("--vcf", "a.vcf", "--shard-bases", "200"), "--vcf and --shard-bases exclude each other"),
        (("--vcf", "a.vcf", "--chunks", "grid:500"), "--vcf and --chunks exclude each other"),
        (("--shard-alleles", "20"), "--shard-alleles needs --vcf"),
    ],
)
def test_options_that_do_not_go_together_are_refused(inputs, case, tmp_path, more, said):
    rows, fasta = inputs.folder / "rows.bed", inputs.folder / "g.fa"
    more = tuple(inputs.folder / "a.vcf" if word == "a.vcf" else word for word in more)
    words = ("scatter", rows, fasta, "-o", tmp_path / "out", "--bundle", "human-promoter")
    done = histpred(*words, *more)
    assert done.code == 2
    assert said in done.err
    assert said_well(done.err)
    assert not (tmp_path / "out").exists()


def test_a_vcf_needs_a_bundle(inputs, tmp_path):
    words = ("scatter", inputs.folder / "rows.bed", inputs.folder / "g.fa", "-o", tmp_path / "out")
    done = histpred(*words, "--encoder", "kmer", "--vcf", inputs.folder / "a.vcf")
    assert done.code == 2
    assert "--vcf and --encoder exclude each other" in done.err


def test_what_is_judged_for_all_alleles_is_judged_before_any_is_scored(inputs, case, tmp_path):
    lines = (inputs.folder / "a.vcf").read_text().splitlines(keepends=True)
    wrong = tmp_path / "wrong.vcf"
    wrong.write_text("".join(line for line in lines if not line.startswith(("1\t", "MT\t"))))
    with pytest.raises(InputError, match="none of its contigs is in"):
        inputs.scatter(case._replace(vcf=str(wrong)), tmp_path / "out", 12)
    assert not (tmp_path / "out").exists()


def test_a_damaged_note_and_parts_that_were_joined_by_hand_are_refused(inputs, case, tmp_path):
    first, second, *_ = inputs.scatter(case, tmp_path / "out", 12)
    lines = text_of(first)
    note = next(line for line in text_of(second) if line.startswith(PREFIX))
    for text, said in (
        ([lines[0], note, *lines[1:]], "2 lines ##histpred_shard="),
        ([line.replace('"first"', '"last"') for line in lines], "is not that of histpred scatter"),
        (
            [PREFIX + "[" * 9999 if line.startswith(PREFIX) else line for line in lines],
            "is not that of histpred scatter",
        ),
    ):
        (tmp_path / "a.vcf").write_text("\n".join(text) + "\n")
        with pytest.raises(InputError, match=said), open_variants(tmp_path / "a.vcf"):
            pass


def test_an_input_is_never_replaced(inputs, case, tmp_path):
    shards = inputs.scatter(case, tmp_path / "out", 12)
    with pytest.raises(OutputError, match="is an input too"):
        inputs.scatter(case._replace(vcf=str(shards[0])), tmp_path / "out", 12)
