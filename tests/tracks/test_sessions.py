from __future__ import annotations

import json
from xml.etree import ElementTree

from histpred.tracks.sessions import igv_json, igv_xml
from histpred.tracks.track import MARK, Track

TRACKS = [Track(name, f"g/{name}.bb", MARK) for name in ("H2A.Z", "H2AZ")]


def test_contigs_that_igv_cannot_parse_are_not_opened():
    hla = "HLA-A*01:01:01:01"
    session = json.loads(igv_json(TRACKS, "g", "g/sizes", f"{hla}:1-100"))
    assert "locus" not in session
    assert json.loads(igv_json(TRACKS, "g", "g/sizes", "chr1:1-100"))["locus"] == "chr1:1-100"
    session = ElementTree.fromstring(igv_xml(TRACKS, "g", "g/sizes", hla).split("?>", 1)[1])
    assert "locus" not in session.attrib
