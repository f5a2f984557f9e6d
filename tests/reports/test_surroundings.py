"""What lies around loci, beside a brute-force search. Bases: tests/commands/test_report.py."""

from __future__ import annotations

import random

from histpred.genome.ledger import COLUMNS
from histpred.reports.landscape import Locus
from histpred.reports.surroundings import features_of, stretches_around


def loci_of(places):
    return [Locus(*place, "g", "+", ".", None, None) for place in places]


def test_stretches_that_touch_are_one():
    loci = loci_of([("b", 50, 60), ("a", 300, 310), ("a", 5, 9), ("a", 12, 20)])
    assert stretches_around(loci, 3) == [("a", 2, 23), ("a", 297, 313), ("b", 47, 63)]
    assert stretches_around(loci, 10)[0][:2] == ("a", 0)


def test_rows_in_the_stretches_are_found(tmp_path):
    chance = random.Random(4)
    places = []
    for _ in range(40):
        start = chance.randrange(2_000)
        places.append((chance.choice("ab"), start, start + chance.randrange(1, 60)))
    stretches = stretches_around(loci_of(places), 5)
    rows, expected = [], []
    for line in range(500):
        start = chance.randrange(2_100)
        end = start + chance.choice((1, 20, 400))
        chrom, status = chance.choice("abc"), chance.choice(("scored", "skipped"))
        named = "A" if chrom == "a" else chrom  # as the annotation has it
        fields = (line, named, start, end, "+", f"g{line}", ".", ".", status, "", "")
        rows.append("\t".join(map(str, fields)))
        if any(chrom == name and start < last and first < end for name, first, last in stretches):
            expected.append((chrom, start, end, f"g{line}", "+", status == "scored"))
    (tmp_path / "ledger.tsv").write_text("\n".join(["\t".join(COLUMNS), *rows]) + "\n")
    assert expected
    assert features_of(tmp_path, {"A": "a"}, stretches) == expected
