"""The spool of alleles against lists in memory."""

from __future__ import annotations

import random

import pytest

from histpred.genome import vcf_spool
from histpred.genome.changes import Change
from histpred.genome.vcf import Record
from histpred.genome.vcf_alleles import Judged
from histpred.genome.vcf_spool import AlleleSpool, Fate


@pytest.fixture(params=[3, 4096])
def spool(request, monkeypatch, tmp_path):
    monkeypatch.setattr(vcf_spool, "AT_ONCE", request.param)
    with AlleleSpool(tmp_path) as opened:
        yield opened
    assert not list(tmp_path.iterdir())


def filled(spool, rng, count):
    """Changes of a sorted VCF in two contigs, every third of which cannot be scored."""
    changes = {}
    places = sorted((rng.choice("ab"), rng.randrange(20_000)) for _ in range(count))
    for number, (contig, start) in enumerate(places, 1):
        end = start + rng.choice([0, 1, 1, 1, 30, 1000, 1001, 9000])
        change = None if number % 3 == 0 else Change(start, end, b"ACG")
        record = Record(number, number, contig, start + 1, f"v{number}", "A", ("C",), "", "", "")
        spool.add(record, "C", contig, Judged(change, "" if change else "symbolic"))
        if change:
            changes[number] = contig, change
    return changes


def test_alleles_are_found_by_what_they_change(spool):
    rng = random.Random(1)
    changes = filled(spool, rng, 300)
    assert (spool.count, spool.usable) == (300, 200)
    for _ in range(200):
        contig, start = rng.choice("ab"), rng.randrange(20_000)
        end = start + rng.randrange(1, 3000)
        expected = [
            (number, change)
            for number, (on, change) in changes.items()
            if on == contig and change.start < end and change.end >= start
        ]
        assert spool.between(contig, start, end) == expected


def test_every_allele_is_in_the_tiles_where_it_begins_and_ends(spool):
    changes = filled(spool, random.Random(2), 300)
    found = {}
    for contig, start, alleles in spool.by_tile(200):
        assert alleles == sorted(alleles)
        for number, change in alleles:
            assert (contig, change) == changes[number]
            assert start not in found.setdefault(number, [])
            found[number].append(start)
    expected = {}
    for number, (_, change) in changes.items():
        touched = range(change.start // 200, max(change.start, change.end - 1) // 200 + 1)
        expected[number] = sorted({200 * touched[0], 200 * touched[-1]})
    assert found == expected
    assert {len(tiles) for tiles in found.values()} == {1, 2}


def test_fates_come_back_with_their_alleles_in_the_order_of_the_vcf(spool):
    rng = random.Random(3)
    filled(spool, rng, 50)
    fates = [
        Fate(number, place, f"{number} {place}", "m", 0.5, None)
        for number in range(2, 50, 2)
        for place in (0, 9)
    ]
    spool.add_fates(rng.sample(fates, len(fates)))
    spool.add_fates([Fate(5, 3, "", "", 0, None, "removes-the-tss")])
    noted = list(spool.noted())
    assert [one.number for one in noted] == list(range(1, 51))
    assert [fate for one in noted for fate in one.fates if not fate.reason] == fates
    assert noted[4].fates[0].reason == "removes-the-tss"
    assert spool.effects == len(fates)
