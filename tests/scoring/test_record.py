"""run.json of a prediction: what fixes its bytes, and what a reader of the folder is refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.errors import InputError
from histpred.core.execution import Execution
from histpred.genome.request import Request
from histpred.scoring.predict import predict
from histpred.scoring.record import prediction_identity, read_finished
from support import random_genome, write_bed, write_fasta


@pytest.fixture
def request_(tmp_path) -> Request:
    genome = random_genome(random.Random(8), {"chr1": 6000})
    write_fasta(tmp_path / "g.fa", genome)
    write_bed(tmp_path / "rows.bed", [("chr1", 2000, 3000, "a", 0, "+")])
    return Request(
        str(tmp_path / "rows.bed"), str(tmp_path / "g.fa"), biotypes=("lncRNA", "lncRNA")
    )


def choice_of(tile: int | None = None) -> EncoderChoice:
    choice = bundle_encoder(load_bundle(), "interval", tile)
    return choice._replace(marks=("H3K27ac", "H3K4me3"))


def prediction(request: Request, out: Path, tile: int | None = None, table: bool = True) -> Path:
    everything = request._replace(biotypes=())
    predict(everything, choice_of(tile), out, Execution("cpu", table=table))
    return out


def test_what_is_asked_for_is_known_before_it_is_made(request_, tmp_path):
    out = prediction(request_, tmp_path / "out")
    everything = request_._replace(biotypes=())
    asked = prediction_identity(everything, choice_of(), Execution("cpu"))
    assert read_finished(out, "").identity == asked
    others = (
        prediction_identity(request_, choice_of(), Execution("cpu")),
        prediction_identity(everything, choice_of(200), Execution("cpu")),
        prediction_identity(everything, choice_of(), Execution("cpu", "fp32")),
        prediction_identity(everything, choice_of()._replace(marks=()), Execution("cpu")),
    )
    assert asked not in others
    assert others[0].biotypes == ("lncrna",)


def test_marks_stand_in_the_order_of_the_bundle(request_):
    marks = prediction_identity(request_, choice_of(), Execution()).marks
    known = load_bundle().manifest.interval.marks
    assert marks == tuple(mark.name for mark in known if mark.name in ("H3K4me3", "H3K27ac"))


def test_a_prediction_without_its_table_is_refused_where_that_is_needed(request_, tmp_path):
    out = prediction(request_, tmp_path / "out", 200, table=False)
    assert not (out / "scores.tsv.gz").exists()
    with pytest.raises(InputError, match=r"so it has no scores\.tsv\.gz") as caught:
        read_finished(out, "")
    assert caught.value.hint == "predict again without --no-table"
    assert read_finished(out, "", with_table=False).result.scored == 5


def test_a_prediction_that_was_altered_is_refused_with_the_remedy(request_, tmp_path):
    out = prediction(request_, tmp_path / "out")
    (out / "ledger.tsv").write_text("")
    with pytest.raises(InputError, match=r"altered since: ledger\.tsv") as caught:
        read_finished(out, "make it again")
    assert caught.value.hint == "make it again"
