"""Changed windows against a genome whose bases know where they come from."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from histpred.genome.changes import (
    Change,
    UnplaceableError,
    anchor_of,
    changed_sequence,
    distance_from,
    reads,
    trimmed,
)
from histpred.genome.reference import Reference
from histpred.genome.regions import Feature
from histpred.genome.windows import WindowSpec, place, window_sequence

LENGTH = 300
GENE = (120, 180)
EXONS = ((120, 135), (150, 156), (170, 180))
SPECS = {
    "promoter": WindowSpec("promoter", 30, 20, 1),
    "whole promoter": WindowSpec("promoter", 30, 20, 1, whole=True, shown=5),
    "context": WindowSpec("context", 40, 0, 1),
    "body": WindowSpec("body", 0, 0, 1),
    "interval": WindowSpec("interval", 0, 0, 1),
    "whole interval": WindowSpec("interval", 35, 35, 1, whole=True),
    "spliced": WindowSpec("spliced", 0, 0, 1),
}
COMPLEMENT = dict(zip("ACGTN", "TGCAN", strict=True))


class Base(NamedTuple):
    letter: str
    place: float  # in the genome; a base that came in lies between those beside it


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    letters = "".join(random.Random(4).choices("ACGT", k=LENGTH))
    folder = tmp_path_factory.mktemp("genome")
    path = folder / "genome.fa"
    path.write_text(f">chr1\n{letters}\n")
    with Reference(path, folder) as reference:
        yield letters, reference


def window_of(spec, strand, gene=GENE):
    feature = Feature(1, "chr1", *gene, strand, "gene", exons=EXONS)
    return place(feature, "chr1", LENGTH, spec).window


def flipped(bases):
    return [Base(COMPLEMENT[letter], -at) for letter, at in reversed(bases)]


def expected(letters, spec, strand, change, gene=GENE):
    """The bases that a window of the changed genome has; None if its TSS is gone."""
    known = [Base(letter, at) for at, letter in enumerate(letters)]
    step, shift = (0.001, -0.5) if change.gain else (1, 0)
    new = [
        Base(letter, change.start + shift + i * step)
        for i, letter in enumerate(change.bases.decode())
    ]
    bases = known[: change.start] + new + known[change.end :]
    first, last = gene
    middle = (first + last) // 2
    if strand == "-":
        bases, first, last, middle = flipped(bases), 1 - last, 1 - first, 1 - middle
    places = [base.place for base in bases]
    if spec.kind in ("promoter", "context") or spec.whole:
        start = middle if spec.kind == "interval" else first
        if start not in places:
            return None
        number = places.index(start)
        lead = number - spec.upstream
        if spec.kind == "context":
            end = sum(at < last for at in places)
        else:
            end = number + spec.downstream
        found = ["N"] * max(0, -lead) * spec.whole
        found += [base.letter for base in bases[max(0, lead) : end]]
        return "".join(found + ["N"] * max(0, end - len(bases)) * spec.whole)
    return "".join(base.letter for base in bases if first <= base.place < last)


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("kind", [kind for kind in SPECS if kind != "spliced"])
@pytest.mark.parametrize("gene", [GENE, (10, 60), (250, 295)])
def test_a_window_is_what_would_be_read_of_the_changed_genome(kind, strand, gene, genome):
    letters, reference = genome
    spec = SPECS[kind]
    window = window_of(spec, strand, gene)
    choice = random.Random(f"{kind}{strand}{gene}")
    compared = 0
    for _ in range(400):
        at = choice.randrange(max(gene[0] - 45, 1), min(gene[1] + 45, LENGTH - 12))
        size = choice.choice([0, 0, 1, 2, 11])
        bases = "".join(choice.choices("ACGT", k=choice.choice([0, 0, 1, 2, 9])))
        change = trimmed(Change(at, at + size, bases.encode()), "chr1", reference)
        wanted = expected(letters, spec, strand, change, gene)
        if kind in ("body", "context", "interval") and change.start in gene and change.bases:
            continue  # whether a base at the very border is inside is a matter of taste
        if not wanted:
            continue
        anchor = anchor_of(window, spec, LENGTH)
        if kind != "interval" and change.gain and change.start <= anchor < change.end:
            with pytest.raises(UnplaceableError, match=r"removes-the-(tss|middle)"):
                changed_sequence(window, spec, [change], reference)
            continue
        found = changed_sequence(window, spec, [change], reference).decode()
        assert found == wanted, change
        compared += 1
    assert compared > 200


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("kind", SPECS)
def test_bases_that_are_replaced_by_as_many_keep_the_length(kind, strand, genome):
    reference = genome[1]
    window = window_of(SPECS[kind], strand)
    own = window_sequence(window, reference).decode()
    for start, end in ((100, 140), (0, LENGTH), (133, 152), (179, 181), (120, 121)):
        masked = Change(start, end, b"N" * (end - start))
        found = changed_sequence(window, SPECS[kind], [masked], reference).decode()
        places = [at for left, right in window.blocks or [window[1:3]] for at in range(left, right)]
        if strand == "-":
            places.reverse()
        wanted = "".join(
            "N" if start <= at < end else base for at, base in zip(places, own, strict=True)
        )
        assert found == wanted
        assert (found != own) == reads(window, start, end)


@pytest.mark.parametrize("strand", "+-")
def test_exons_grow_and_shrink_but_not_across_their_borders(strand, genome):
    letters, reference = genome
    window, spec = window_of(SPECS["spliced"], strand), SPECS["spliced"]

    def read(*change):
        found = changed_sequence(window, spec, [Change(*change)], reference).decode()
        return "".join(COMPLEMENT[base] for base in reversed(found)) if strand == "-" else found

    exons = [letters[start:end] for start, end in EXONS]
    assert read(151, 152, letters[151].encode() + b"GGG") == (
        exons[0] + letters[150:152] + "GGG" + letters[152:156] + exons[2]
    )
    assert read(171, 176, letters[171].encode()) == (
        exons[0] + exons[1] + letters[170:172] + letters[176:180]
    )
    for change in ((130, 140, letters[130].encode()), (148, 152, letters[148].encode())):
        with pytest.raises(UnplaceableError, match="spans-a-splice-site"):
            read(*change)
    assert not reads(window, 136, 149)
    assert reads(window, 155, 156)


def test_several_changes_at_once_are_read_together(genome):
    letters, reference = genome
    window, spec = window_of(SPECS["promoter"], "+"), SPECS["promoter"]
    changes = [Change(100, 102, b""), Change(119, 121, b"NN"), Change(130, 130, b"GG")]
    found = changed_sequence(window, spec, changes, reference).decode()
    assert found == (
        letters[88:100] + letters[102:119] + "NN" + letters[121:130] + "GG" + letters[130:138]
    )


@pytest.mark.parametrize("kind", ["promoter", "whole promoter", "context", "body", "spliced"])
def test_distances_are_from_the_tss_along_the_strand(kind):
    for strand in "+-":
        for gene in (GENE, (10, 180), (120, 295)):
            window = window_of(SPECS[kind], strand, gene)
            tss = gene[0] if strand == "+" else gene[1] - 1
            if kind == "spliced":
                tss = 120 if strand == "+" else 179
            sign = 1 if strand == "+" else -1
            assert distance_from(window, SPECS[kind], LENGTH, tss) == 0
            assert distance_from(window, SPECS[kind], LENGTH, tss + 7) == 7 * sign


def test_a_window_that_both_ends_of_a_contig_clip_has_no_anchor():
    spec = WindowSpec("promoter", 500, 500, 1)
    window = window_of(spec, "+")
    assert anchor_of(window, spec, LENGTH) is None
    assert distance_from(window, spec, LENGTH, 3) is None
