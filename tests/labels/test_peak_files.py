from __future__ import annotations

from pathlib import Path

import pytest

from histpred.core.errors import InputError, UsageError
from histpred.labels.peak_files import PeakFile, peak_files
from support.annotations import write


@pytest.mark.parametrize(
    ("name", "mark", "sample"),
    [
        ("H3K4me3.K562.ENCFF1.bed.gz", "H3K4me3", "K562"),
        ("h3k27AC.MCF-7.merge_A+B.narrowPeak", "H3K27ac", "MCF-7"),
        ("H3K9me3.liver.broadpeak.gz", "H3K9me3", "liver"),
        ("H2A.Z.K562.bed", "H2AFZ", "K562"),
        ("h3.3.K562.bed", "H3F3A", "K562"),
        ("H3.3T3.bed", "H3", "3T3"),
        ("H2AFZ.A549.gappedPeak.bgz", "H2AFZ", "A549"),
        ("H3K122ac.H1.bed", "H3K122ac", "H1"),
        ("H3K4me3.K562", "H3K4me3", "K562"),
    ],
)
def test_mark_and_sample_from_the_name(name, mark, sample):
    path = Path("some.where") / name
    assert peak_files([path], None) == [PeakFile(mark, sample, path)]


def test_files_without_a_sample_are_samples_of_their_own():
    paths = [Path("one/H3K4me3.bed.gz"), Path("two/H3K4me3.bed.gz")]
    first, second = peak_files(paths, None)
    assert first.mark == second.mark == "H3K4me3"
    assert first.sample != second.sample


def test_names_without_a_mark():
    paths = [Path(name) for name in ("ENCFF1.bed.gz", "H3K4me3.a.bed", "K562.H3K4me3.bed")]
    with pytest.raises(
        UsageError, match=r"2 of 3 file names .*: ENCFF1\.bed\.gz, K562\.H3K4me3"
    ) as e:
        peak_files(paths, None)
    assert "sheet" in e.value.hint


@pytest.mark.parametrize(("paths", "sheet"), [([], None), ([Path("H3K4me3.bed")], Path("s.tsv"))])
def test_either_files_or_a_sheet(paths, sheet):
    with pytest.raises(UsageError, match="were given"):
        peak_files(paths, sheet)


def test_a_sheet(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("one.bed", "two.bed"):
        write(folder / name, "")
    sheet = write(
        folder / "sheet.tsv",
        f"#Sample\tFILE\tnote\tMark\nK562\tone.bed\tx\tH2A.Z\n\n\t{folder}/two.bed\t\tATAC\n",
    )
    assert peak_files([], sheet) == [
        PeakFile("H2AFZ", "K562", folder / "one.bed"),
        PeakFile("ATAC", str(folder / "two.bed"), folder / "two.bed"),
    ]
    sheet = write(folder / "sheet.tsv", "mark\tfile\nH3K4me3\tone.bed\nH3K4me3\ttwo.bed\n")
    assert len({file.sample for file in peak_files([], sheet)}) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"sheet\.tsv: is empty"),
        ("mark\tfile\n", r"sheet\.tsv: names no file"),
        ("mark\tpath\n", r"sheet\.tsv:1: no column 'file': mark, path"),
        ("mark\tfile\tmark\n", r"sheet\.tsv:1: two columns 'mark'"),
        ("mark\tfile\n\nH3K4me3\n", r"sheet\.tsv:3: 1 columns where the header has 2"),
        ("mark\tfile\n\tsheet.tsv\n", r"sheet\.tsv:2: a row without a mark"),
        ("mark\tfile\nH3K4me3\tgone.bed\n", r"sheet\.tsv:2: .*gone\.bed does not exist"),
        (b"\x1f\x8b\x08", r"sheet\.tsv:1: the compressed data is truncated"),
    ],
)
def test_sheets_that_cannot_be_used(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        peak_files([], write(tmp_path / "sheet.tsv", content))


@pytest.mark.parametrize(
    "mark", ["../../../evil", "a b", "<b>", "-x", "..", "name", "Biotype", "calls"]
)
def test_marks_that_no_bundle_and_no_table_can_hold(tmp_path, mark):
    write(tmp_path / "one.bed", "")
    sheet = write(tmp_path / "sheet.tsv", f"mark\tfile\nH3K4me3\tone.bed\n{mark}\tone.bed\n")
    with pytest.raises(InputError, match=r"sheet\.tsv:3: no mark can be called") as caught:
        peak_files([], sheet)
    assert "rename it" in caught.value.hint
