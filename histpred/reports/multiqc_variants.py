"""The sections of a MultiQC report on variants; see `histpred.reports.multiqc`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from histpred.reports.multiqc_layout import (
    CHAPTER,
    COUNT,
    PERCENTAGE,
    SCORED,
    Section,
    column,
    fates,
    plot,
)
from histpred.scoring.variants_record import VariantsRecord

VariantSamples = Mapping[str, VariantsRecord]

GENERAL_COLUMNS = {
    "alleles": column("Alleles", "ALT alleles of the VCF", "Blues", min=0, **COUNT),
    "alleles_scored": column(
        "Scored alleles", "Alleles with an effect in a window or more", "Greens", min=0, **COUNT
    ),
}


def general(one: VariantsRecord) -> dict[str, int]:
    """The cells of a sample in MultiQC's first table."""
    return {"alleles": one.result.alleles, "alleles_scored": one.result.scored}


def effects(runs: VariantSamples) -> Section:
    """One row per sample: what was scored, and how its effects compare with random ones."""
    above_half = (
        "Share of the effects (an allele in a window) whose largest difference over the marks is "
        "above that of half of the window's random substitutions. By chance it is about 50 %"
    )
    above_all = "The same, above all of them. With a background of 50, it is 2 % by chance"
    return CHAPTER | {
        "section_name": "Variants",
        "description": "How many alleles were scored, and how their effects compare with random "
        "substitutions of the same windows.",
        "plot_type": "table",
        "pconfig": plot("variants_table", "variants", col1_header="Sample", no_violin=True),
        "headers": {
            "bundle": column("Bundle", "The trained model, and its version"),
            "alleles": column("Alleles", "ALT alleles of the VCF", **COUNT),
            "scored": column("Scored", "Alleles with an effect in a window or more", **COUNT),
            "effects": column("Effects", "Pairs of an allele and a window", **COUNT),
            "background": column("Background", "Random substitutions of each window", **COUNT),
            "above_half": column("Above the median", above_half, "Purples", **PERCENTAGE),
            "above_all": column("Above all", above_all, "Purples", **PERCENTAGE),
            "resolution": column("What the bundle resolves", "Measured in up to eight windows"),
            "device": column("Device", "Where it ran"),
            "warnings": column("Warnings", "As in variants.json"),
        },
        "data": {name: _row(one) for name, one in runs.items()},
    }


def _row(one: VariantsRecord) -> dict[str, float | str]:
    result = one.result
    row: dict[str, float | str] = {
        "bundle": escape((one.identity.bundle or "").rpartition(" ")[0]),
        "alleles": result.alleles,
        "scored": result.scored,
        "effects": result.effects,
        "background": one.identity.background,
        "resolution": escape(result.resolution.sentence() if result.resolution else "nothing"),
        "device": escape(result.device),
        "warnings": escape("; ".join(result.warnings) or "none"),
    }
    if result.compared:
        row["above_half"] = 100 * result.above_half / result.compared
        row["above_all"] = 100 * result.above_all / result.compared
    return row


def alleles(runs: VariantSamples) -> Section:
    """One bar per sample: what became of each allele."""
    data = {name: {SCORED: one.result.scored, **one.result.skipped} for name, one in runs.items()}
    return CHAPTER | {
        "section_name": "Alleles of the VCF",
        "description": "What became of each ALT: scored, or skipped and why (as in "
        "variants.ledger.tsv).",
        **fates(data, "alleles", "alleles of the VCF"),
    }
