"""Windows with other bases, against predictions of genomes that have these bases."""

from __future__ import annotations

import random
from contextlib import contextmanager

import numpy as np
import pytest

REASON = "needs the extras encoders and train"
pytest.importorskip("torch", reason=REASON)
pytest.importorskip("tokenizers", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from histpred.bundle.encoding import bundle_encoder  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.bundle.mark_spec import Calibration, MarkSpec  # noqa: E402
from histpred.core.errors import ModelError  # noqa: E402
from histpred.core.execution import Execution  # noqa: E402
from histpred.encoders.chunks import ChunkPolicy  # noqa: E402
from histpred.genome.changes import Change  # noqa: E402
from histpred.genome.plan import open_windows, scorable  # noqa: E402
from histpred.genome.request import Request  # noqa: E402
from histpred.scoring.alternatives import Alternatives, log_odds, scales_of  # noqa: E402
from histpred.scoring.frames import read_frame  # noqa: E402
from histpred.scoring.opened import open_bundle, scorer_of  # noqa: E402
from histpred.scoring.predict import predict  # noqa: E402
from histpred.scoring.tables import FORMATS, SCORES  # noqa: E402
from support import random_genome, write_fasta  # noqa: E402
from support.dnabert2 import write_dnabert2  # noqa: E402
from support.random_bundle import random_bundle  # noqa: E402

PROMOTER = {"kind": "promoter", "upstream": 700, "downstream": 300}
LENGTH = 90_000
GENES = {
    "plus": (41_000, 43_000, "+"),
    "minus": (44_000, 44_900, "-"),
    "edge": (89_500, LENGTH, "-"),
}
SUBSTITUTIONS = [
    Change(start, start + len(bases), bases)
    for start, bases in (
        (40_990, b"A"),
        (41_000, b"C"),
        (44_899, b"G"),
        (44_950, b"T"),
        (89_990, b"N"),
        (40_800, b"N" * 150),
        (42_123, b"ACGTACGT"),
        (44_700, b"N" * 200),
        (89_700, b"N" * 100),
    )
]
INDELS = [
    Change(40_800, 40_801, b"GATTACA"),
    Change(40_700, 40_731, b"C"),
    Change(41_100, 41_140, b""),
    Change(44_950, 44_950, b"TTTT"),
    Change(44_800, 44_805, b""),
    Change(89_800, 89_830, b"CA"),
]
CHANGES = [*SUBSTITUTIONS, *INDELS]


@pytest.fixture(scope="module")
def letters():
    return random_genome(random.Random(1), {"chr1": LENGTH})["chr1"]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    write_dnabert2(folder / "weights", scale=0.3)
    files = {"kmer": [], "dnabert2": ["pytorch_model.bin", "config.json", "tokenizer.json"]}
    made = {name: load_bundle(name) for name in ("human-promoter", "yeast")}
    for name in ("kmer window", "dnabert2 window", "dnabert2 grid"):
        kind, policy = name.split()
        chunks = ChunkPolicy(policy, 200)
        made[name] = random_bundle(
            folder / name, kind, folder / "weights", files[kind], chunks=chunks, window=PROMOTER
        )
    return made


def written(folder, genome, genes):
    folder.mkdir()
    write_fasta(folder / "genome.fa", genome)
    rows = (f"{chrom}\t{a}\t{b}\t{name}\t0\t{strand}\n" for chrom, a, b, name, strand in genes)
    (folder / "genes.bed").write_text("".join(rows))
    return Request(str(folder / "genes.bed"), str(folder / "genome.fa"))


@contextmanager
def alternatives_of(folder, bundle, letters, store=None, wrap=lambda encoder: encoder):
    """The rows of the genes, what scores their alternatives, and the scorer."""
    choice = choice_of(bundle)
    genes = [("chr1", a, b, name, strand) for name, (a, b, strand) in GENES.items()]
    request = written(folder, {"chr1": letters}, genes)
    with (
        scorer_of(choice, "cpu") as scorer,
        open_windows(request, choice.window, folder, FORMATS) as windows,
    ):
        reference = windows.reference
        opened = open_bundle(choice, scorer, Execution("cpu", store=store))
        opened = opened._replace(encoder=wrap(opened.encoder))
        batches = scorable(windows.ledger, reference, choice.window, windows.transcripts)
        rows = [row for batch in batches for row in batch]
        yield rows, Alternatives(opened, reference), scorer


class Broken:
    """An encoder that gives NaN for the chunk `bad`."""

    def __init__(self, encoder):
        self.encoder, self.bad = encoder, None

    def __getattr__(self, name):
        return getattr(self.encoder, name)

    def embed(self, chunks):
        found = self.encoder.embed(chunks)
        found.vectors[[chunk == self.bad for chunk in chunks]] = np.nan
        return found


def choice_of(bundle):
    choice = bundle_encoder(bundle)
    if "weights" not in str(bundle.directory) and bundle.manifest.encoder.files:
        return bundle_encoder(bundle, weights=bundle.directory.parent / "weights")
    return choice


def predicted(folder, bundle, letters, changes):
    """Probabilities of a genome with a contig for each change, by gene and number."""
    genome, genes = {"own": letters}, []
    for number, change in enumerate(changes):
        genome[f"{number}"] = (
            letters[: change.start] + change.bases.decode() + letters[change.end :]
        )
    for contig, sequence in genome.items():
        change = None if contig == "own" else changes[int(contig)]
        for name, (start, end, strand) in GENES.items():
            ends = [at + change.gain * (at >= change.end) if change else at for at in (start, end)]
            assert ends[1] <= len(sequence)
            genes.append((contig, *ends, f"{name} {contig}".replace(" ", "_"), strand))
    choice = choice_of(bundle)
    predict(written(folder, genome, genes), choice, folder / "out")
    scores = read_frame(folder / "out" / SCORES).set_index("name")
    return scores[[mark.name for mark in choice.scored]]


def compare(rows, found, expected, numbers):
    for row, some in zip(rows, found, strict=True):
        gene = row.window.name
        np.testing.assert_allclose(some[0], expected.loc[f"{gene}_own"], atol=1e-4)
        for number in numbers:
            wanted = expected.loc[f"{gene}_{number}"]
            np.testing.assert_allclose(some[1 + number], wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["human-promoter", "yeast", "kmer window", "dnabert2 window"])
def test_alternatives_score_like_a_genome_that_has_them(name, bundles, letters, tmp_path):
    bundle = bundles[name]
    expected = predicted(tmp_path / "expected", bundle, letters, CHANGES)
    with alternatives_of(tmp_path / "opened", bundle, letters) as (rows, alternatives, scorer):
        each = [[change] for change in CHANGES]
        assert not any(alternatives.reason_against(row, one) for row in rows for one in each)
        logits = alternatives.logits([(row, each) for row in rows])
        found = [scorer.calibrated(some) for some in logits]
    compare(rows, found, expected, range(len(CHANGES)))
    assert (
        max(np.abs(some[1:] - some[0]).max() for some in found) > 0.001
    )  # ten times the tolerance


def test_on_a_grid_bins_stay_where_they_are(bundles, letters, tmp_path):
    bundle = bundles["dnabert2 grid"]
    expected = predicted(tmp_path / "expected", bundle, letters, SUBSTITUTIONS)
    with alternatives_of(tmp_path / "opened", bundle, letters) as (rows, alternatives, scorer):
        logits = alternatives.logits([(row, [[change] for change in CHANGES]) for row in rows])
        embedded = alternatives.embedded
        found = [scorer.calibrated(some) for some in logits]
    compare(rows, found, expected, range(len(SUBSTITUTIONS)))
    indels = slice(1 + len(SUBSTITUTIONS), None)
    moved = {
        row.window.name: (np.abs(some[indels] - some[0]).max(axis=1) > 0).tolist()
        for row, some in zip(rows, found, strict=True)
    }
    assert moved["plus"] == [True, True, True, False, False, False]
    assert moved["minus"] == [False, False, False, True, True, False]
    windows = [6, 6, 4]  # bins of each window; of what changes, a bin or the masked ones
    assert embedded <= sum(windows) + len(CHANGES) + 3 + 1 + 1


def test_one_base_costs_one_chunk_and_known_chunks_nothing(bundles, letters, tmp_path):
    bundle, store = bundles["dnabert2 window"], tmp_path / "store"
    changes = [[Change(40_990, 40_991, base)] for base in (b"N", b"A", b"C", b"G", b"T")]
    with alternatives_of(tmp_path / "first", bundle, letters, store) as (rows, alternatives, _):
        alternatives.logits([(rows[0], [])])
        assert (alternatives.embedded, alternatives.reused) == (5, 0)
        first = alternatives.logits([(rows[0], changes)])
        assert (alternatives.embedded, alternatives.reused) == (9, 5)  # one is the genome's base
    with alternatives_of(tmp_path / "again", bundle, letters, store) as (rows, alternatives, _):
        again = alternatives.logits([(rows[0], changes)])
        assert (alternatives.embedded, alternatives.reused) == (0, 9)
    assert np.array_equal(first[0], again[0])


def test_of_a_call_with_a_vector_that_is_not_finite_the_store_keeps_the_others(
    bundles, letters, tmp_path
):
    bundle, store = bundles["dnabert2 window"], tmp_path / "store"
    with alternatives_of(tmp_path / "broken", bundle, letters, store, Broken) as opened:
        rows, alternatives, _ = opened
        assert rows[0].window.name == "plus"
        alternatives.bundle.encoder.bad = rows[0].sequence[:200]
        with pytest.raises(ModelError, match=r"^plus \(chr1:40300-41300\) gave NaN or infinity"):
            alternatives.logits([(rows[1], []), (rows[0], [])])
        assert alternatives.embedded == 10
    with alternatives_of(tmp_path / "mended", bundle, letters, store) as (rows, alternatives, _):
        alternatives.logits([(rows[0], [])])
        assert (alternatives.embedded, alternatives.reused) == (1, 4)


def test_what_cannot_be_scored_has_a_reason(bundles, letters, tmp_path):
    with alternatives_of(tmp_path / "opened", bundles["kmer window"], letters) as (
        rows,
        alternatives,
        _,
    ):
        gone = [Change(40_990, 41_010, b"")]
        assert alternatives.reason_against(rows[0], gone) == "removes-the-tss"
        assert alternatives.reason_against(rows[1], gone) == ""
        with pytest.raises(ValueError, match="removes-the-tss"):
            alternatives.logits([(rows[0], [gone])])
        assert alternatives.logits([]) == []


def test_differences_are_of_log_odds_unless_the_calibration_has_steps():
    platt = MarkSpec(name="a", threshold=0.5, calibration=Calibration(slope=2, intercept=-1))
    knots = {"logits": (-1, 1), "probabilities": (0.1, 0.9), "method": "isotonic"}
    stepped = MarkSpec(name="b", threshold=0.5, calibration=Calibration(**knots))
    found = log_odds(np.array([[0.5, 3.0]], np.float32), [platt, stepped])
    assert found.tolist() == [[0.0, 3.0]]
    unpredicted = MarkSpec(name="c", threshold=1, unpredicted="too few genes")
    assert scales_of([platt, stepped, unpredicted]) == {"a": "calibrated", "b": "raw"}
