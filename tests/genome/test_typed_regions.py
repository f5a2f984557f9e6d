from __future__ import annotations

import pytest

from histpred.core.errors import UsageError
from histpred.genome.regions import FARTHEST
from histpred.genome.typed_regions import canonical, like_regions, names_contig, parse_regions


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("chr22:20,100,000-20,104,000", "chr22:20100000-20104000"),
        ("chr22:20100000-20104000:+", "chr22:20100000-20104000:+"),
        ("chr22:1-9:-", "chr22:1-9:-"),
        ("chr22:1-9:.", "chr22:1-9"),
        (" chr22 : 20,100,000 - 20,104,000 : + ", "chr22:20100000-20104000:+"),
        ("22:5..9", "22:5-9"),
        ("chr1:5\u20139", "chr1:5-9"),
        ("chr1:7-7", "chr1:7-7"),
        ("chr1:1-9 chr2:3-4:-", "chr1:1-9 chr2:3-4:-"),
        ("chr1:1-9,chr2:3-4;chr3:5-6", "chr1:1-9 chr2:3-4 chr3:5-6"),
        ("1:1-100,200:5-9", "1:1-100 200:5-9"),
        ("HLA-DRB1*12:17:1-100", "HLA-DRB1*12:17:1-100"),
        ("chr1:100-200:5-9", "chr1:100-200:5-9"),
        (f"c:1-{FARTHEST}", f"c:1-{FARTHEST}"),
    ],
)
def test_regions_are_read_as_they_are_typed(text, regions):
    assert canonical(parse_regions(text)) == regions
    assert canonical(parse_regions(regions)) == regions
    assert like_regions(text)


def test_a_region_counts_from_1_and_its_end_belongs_to_it():
    (region,) = parse_regions("chr22:101-200:-")
    feature = region.feature(3, 1000)
    assert feature[:6] == (3, "chr22", 100, 200, "-", "chr22:101-200")


def test_the_name_of_a_contig_is_all_of_it():
    text = "chr2 chr1:5-9:+ ,scaffold_7;"
    regions = parse_regions(text, lambda word: word in ("chr2", "scaffold_7"))
    assert canonical(regions) == "chr2 chr1:5-9:+ scaffold_7"
    assert [region.whole for region in regions] == [True, False, True]
    assert regions[0].feature(1, 900)[:6] == (1, "chr2", 0, 900, ".", "chr2")
    with pytest.raises(UsageError, match="not a region: 'scaffold_7;'"):
        parse_regions(text, lambda word: word == "chr2")


def test_a_contig_is_told_from_a_file_by_the_index_or_the_look_of_its_name(tmp_path):
    fasta = tmp_path / "genome.fa"
    for name in ("chr22", "22", "chrX", "MT", "chrIV", "NC_000022.10"):
        assert names_contig(name, str(fasta)), name
    names = ("genes.gft", "genes.gtf", "XIST", "folder/chr22", "scaffold_7.1", "-", "", "hg38")
    assert [name for name in names if names_contig(name, str(fasta))] == []
    (tmp_path / "genome.fa.fai").write_text("scaffold_7.1\t900\t6\t60\t61\n")
    assert names_contig("scaffold_7.1", str(fasta))
    assert not names_contig("scaffold_7", str(fasta))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no region was given"),
        ("chr22", "not a region: 'chr22'"),
        ("chr22:20,100,000", "not a region(?s:.*)it has one position"),
        ("chr1:0-9", "positions of a region count from 1"),
        ("chr1:9-1", "start 9 is after end 1(?s:.*)swap"),
        ("chr1:1-9(+)", "not a region(?s:.*)behind a colon"),
        ("chr1:1-9:*", "not a region"),
        ("chr1:1-9 genes.bed", "not a region: 'genes.bed'"),
        ("chr1:10,00-20,00", "not a region"),
        (f"chr1:1-{FARTHEST + 1}", "past the end of any contig"),
        ("chr1:1-" + "9" * 5000, "past the end of any contig"),
        ("chr1:-5-9", "not a region"),
    ],
)
def test_what_is_no_region_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse_regions(text)


@pytest.mark.parametrize(
    "text", ["genes.gtf", "-", "https://host:80/genes.bed", "a/b:c.bed", "XIST"]
)
def test_paths_and_names_are_not_like_regions(text):
    assert not like_regions(text)
