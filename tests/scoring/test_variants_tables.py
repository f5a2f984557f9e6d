"""Entries of INFO, the header of the annotated VCF, and the line about scales."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from histpred.bundle.mark_spec import Calibration, MarkSpec
from histpred.core.errors import InputError
from histpred.genome.vcf import open_variants
from histpred.genome.vcf_spool import Fate, Noted
from histpred.scoring.variants_tables import (
    escaped,
    header_with_tag,
    info_entry,
    outcome_of,
    scale_line,
    with_entry,
)
from support.variants import vcf_text


def test_an_entry_names_the_largest_effect():
    fates = [
        Fate(1, 0, "a\t5\t0.5", "H3K4me3", 0.25, 0.5),
        Fate(1, 1, "b|;c\t5\t0.5", "H3K27ac", -0.75, 0.99),
        Fate(1, 2, "d\t5\t0.5", "", 0, None),
    ]
    assert info_entry(fates) == "b%7C%3Bc|H3K27ac|-0.750000|0.99"
    assert info_entry([fates[0]._replace(rank=None)]) == "a|H3K4me3|0.250000|."
    assert info_entry([fates[2]]) == info_entry([]) == "."


def test_whatever_a_name_holds_can_be_read_back():
    name = 'LINC 1;a=b,c|d:100%\té"&'
    assert unquote(escaped(name)) == name
    assert not set(escaped(name)) & set(' ;=,|:\t"&')
    assert escaped(name).isascii()


def test_the_header_gets_one_line_before_the_columns(tmp_path):
    text = vcf_text([], ['##INFO=<ID=HISTPREDX,Number=1,Type=String,Description="x">'])
    (tmp_path / "a.vcf").write_text(text)
    with open_variants(tmp_path / "a.vcf") as variants:
        lines = header_with_tag(variants).splitlines()
    assert lines[:-2] + lines[-1:] == text.splitlines()
    assert lines[-2].startswith("##INFO=<ID=HISTPRED,Number=A,Type=String,")


def test_a_vcf_that_has_the_entry_already_is_refused(tmp_path):
    text = vcf_text([], ['##INFO=<ID=HISTPRED,Number=A,Type=String,Description="x">'])
    (tmp_path / "a.vcf").write_text(text)
    with open_variants(tmp_path / "a.vcf") as variants, pytest.raises(InputError, match="bcftools"):
        header_with_tag(variants)


def test_the_table_says_which_differences_are_of_raw_scores():
    steps = Calibration(logits=(0, 1), probabilities=(0.1, 0.2), method="isotonic")
    plain = MarkSpec(name="H3K4me3", threshold=0.5)
    assert "before calibration" not in scale_line([plain])
    stepped = MarkSpec(name="H3K27ac", threshold=0.5, calibration=steps)
    assert "before calibration for H3K27ac," in scale_line([plain, stepped])


def test_an_entry_of_the_name_is_replaced_and_others_are_kept():
    assert with_entry("HISTPRED=1;HISTPREDX=2;DB", ["a"]) == "HISTPREDX=2;DB;HISTPRED=a"
    assert with_entry("HISTPRED", ["a", "b"]) == "HISTPRED=a,b"
    assert with_entry(".", ["a"]) == with_entry("", ["a"]) == "HISTPRED=a"
    assert with_entry("DB", [".", "."]) == "DB"


def test_an_allele_is_scored_if_a_window_can_be_read_and_the_note_counts_the_others():
    long, gone = "longer-than-a-chunk", "removes-the-tss"
    unread = [Fate(1, place, "", "", 0, None, why) for place, why in enumerate((long, gone, gone))]
    scored = Fate(1, 3, "a\t5\t0.5", "H3K4me3", 0.25, 0.5)
    allele = Noted(1, 1, "chr1", 5, ".", "A", "C", "chr1", "", "", (*unread, scored))
    note = f"{long} in 1 window; {gone} in 2 windows"
    assert outcome_of(allele) == ("scored", "", note)
    assert outcome_of(allele._replace(fates=tuple(unread))) == ("skipped", gone, note)
    assert outcome_of(allele._replace(fates=())) == ("skipped", "outside-all-windows", "")
    other = allele._replace(reason="symbolic", note="<DEL>")
    assert outcome_of(other) == ("skipped", "symbolic", "<DEL>")
