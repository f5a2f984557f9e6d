"""Sessions that open the tracks of a hub in IGV and JBrowse 2.

IGV: https://igv.org/doc/igvjs/#Sessions and the sessions that IGV Desktop saves. JBrowse 2:
https://jbrowse.org/jb2/docs/config_guide/. Paths are relative: the folder can be moved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from histpred.tracks.track import ANNOTATION, CALLED, CLASS, Track

KNOWN_TO_IGV = (
    *("hg38", "hg19", "hg18", "hs1", "mm39", "mm10", "mm9", "rn7", "rn6", "danRer11", "danRer10"),
    *("dm6", "dm3", "ce11", "sacCer3", "galGal6", "xenTro10", "susScr11", "bosTau9", "canFam6"),
)
"""Assemblies that IGV fetches by name, with sequence and genes; for others it gets the contigs."""

PLAIN_LOCUS = re.compile(r"[A-Za-z0-9_.|-]+(?::\d+-\d+)?")
"""Loci that IGV can open; it cannot parse contigs such as HLA-A*01:01."""

WINDOW_HEIGHT, SIGNAL_HEIGHT = 15, 24  # pixels
ITEM_DISTANCE = 28  # pixels from an item to the next, with its name between; igv.js needs these
ITEMS = {ANNOTATION: 2 * ITEM_DISTANCE + 4, CALLED: 7 * ITEM_DISTANCE + 2}
"""Tracks whose items show their names, and their heights in pixels."""


def igv_json(tracks: Sequence[Track], assembly: str, sizes: str, locus: str) -> str:
    """A session for igv.js, which takes paths as relative to its page, in the hub's folder.

    `sizes`: path of the contigs' lengths, for an assembly that IGV does not know. `locus`: the
    first locus shown, 'contig:start-end' (1-based, inclusive).
    """
    session: dict[str, object] = {"genome": assembly}
    if assembly not in KNOWN_TO_IGV:
        contigs = {"id": assembly, "name": assembly, "format": "chromsizes", "fastaURL": sizes}
        session = {"reference": contigs, "showSequence": False}
    if PLAIN_LOCUS.fullmatch(locus):
        session["locus"] = locus
    session["tracks"] = [_igv_track(track) for track in tracks]
    return json.dumps(session, indent=1) + "\n"


def _height(track: Track) -> int:
    """Height in pixels; annotation, calls and some fifteen others fit on a laptop's screen."""
    if track.kind in ITEMS:
        return ITEMS[track.kind]
    return SIGNAL_HEIGHT if track.signal else WINDOW_HEIGHT


def _igv_track(track: Track) -> dict[str, object]:
    shown: dict[str, object] = {"type": "annotation", "format": "bigbed"}
    if track.signal:
        shown = {"type": "wig", "format": "bigwig"}
        shown |= {"min": track.limits[0], "max": track.limits[1]}
        shown |= {"color": f"rgb({track.rgb})"}
    elif track.kind in ITEMS:
        shown |= {"displayMode": "EXPANDED", "margin": 2}
        shown |= {"expandedRowHeight": ITEM_DISTANCE, "featureHeight": WINDOW_HEIGHT - 2}
    else:
        shown |= {"displayMode": "COLLAPSED", "margin": 1, "featureHeight": WINDOW_HEIGHT - 2}
    return {"name": track.name, "url": track.path, **shown, "height": _height(track)}


def igv_xml(tracks: Sequence[Track], assembly: str, sizes: str, locus: str) -> str:
    """A session for IGV Desktop; for the arguments see `igv_json`."""
    genome = assembly if assembly in KNOWN_TO_IGV else sizes
    begin = {"locus": locus} if PLAIN_LOCUS.fullmatch(locus) else {}
    session = ElementTree.Element("Session", {"genome": genome, **begin, "version": "8"})
    resources = ElementTree.SubElement(session, "Resources")
    # Calls have a panel of their own that scrolls: their track is as high as their stack.
    marks = ElementTree.SubElement(session, "Panel", name="DataPanel")
    calls = ElementTree.SubElement(session, "Panel", name="FeaturePanel")
    ElementTree.SubElement(session, "PanelLayout", dividerFractions="0.75")
    for track in tracks:
        kind = "bigwig" if track.signal else "bigbed"
        ElementTree.SubElement(resources, "Resource", path=track.path, type=kind)
        shown = {"id": track.path, "name": track.name, "height": str(_height(track))}
        if track.signal:
            shown |= {"renderer": "BAR_CHART", "autoScale": "false", "color": track.rgb}
        else:
            shown |= {"displayMode": "EXPANDED" if track.kind in ITEMS else "COLLAPSED"}
        if not track.shown:
            shown |= {"visible": "false"}
        panel = calls if track.kind == CALLED else marks
        element = ElementTree.SubElement(panel, "Track", shown)
        if track.signal:
            least, most = (str(float(limit)) for limit in track.limits)
            limits = {"minimum": least, "baseline": "0.0", "maximum": most, "type": "LINEAR"}
            ElementTree.SubElement(element, "DataRange", limits)
    ElementTree.indent(session)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(session, encoding="unicode") + "\n"


def jbrowse(tracks: Sequence[Track], assembly: str, sizes: str, locus: str) -> str:
    """A configuration of JBrowse 2, with tracks in categories by class of mark.

    For the arguments see `igv_json`. The assembly has contigs but no sequence; users can name a
    FASTA in its place.
    """
    sequence = {
        "type": "ReferenceSequenceTrack",
        "trackId": f"{assembly}-sequence",
        "adapter": {"type": "ChromSizesAdapter", "chromSizesLocation": _location(sizes)},
    }
    shown = [_track_id(track) for track in tracks if track.shown]
    view = {"loc": locus, "assembly": assembly, "tracks": shown}
    views = [{"type": "LinearGenomeView", "id": "histpred", "init": view}]
    configuration = {
        "configuration": {"theme": {"typography": {"fontSize": 10}, "spacing": 2}},
        "assemblies": [{"name": assembly, "sequence": sequence}],
        "tracks": [_jbrowse_track(track, assembly) for track in tracks],
        "defaultSession": {"name": "histpred", "views": views},
    }
    return json.dumps(configuration, indent=1) + "\n"


def _jbrowse_track(track: Track, assembly: str) -> dict[str, object]:
    if track.signal:
        kind, display = "QuantitativeTrack", "LinearWiggleDisplay"
        adapter = {"type": "BigWigAdapter", "bigWigLocation": _location(track.path)}
        plot = {"type": "XYPlotRenderer", "color": f"rgb({track.rgb})"}
        least, most = track.limits
        look: dict[str, object] = {"minScore": least, "maxScore": most}
        look |= {"renderers": {"XYPlotRenderer": plot}}
    else:
        kind, display = "FeatureTrack", "LinearBasicDisplay"
        adapter = {"type": "BigBedAdapter", "bigBedLocation": _location(track.path)}
        named = track.kind in ITEMS
        layout: dict[str, object] = {"displayMode": "collapse", "height": WINDOW_HEIGHT - 2}
        if named:
            layout = {"displayMode": "normal", "height": 9}
        value = "get(feature,'score')/1000"
        if track.kind == ANNOTATION:
            value = "get(feature,'status')"
        look = {
            "maxFeatureScreenDensity": 5,  # of the calls
            "mouseover": f"jexl:get(feature,'name')+': '+{value}",
            "renderer": {
                "type": "SvgFeatureRenderer",
                "color1": "jexl:'rgb('+get(feature,'reserved')+')'",
                "color2": "silver",
                "showLabels": named,
                "showDescriptions": False,
                **layout,
            },
        }
    shown = {
        "type": display,
        "displayId": f"{_track_id(track)}-{display}",
        "height": _height(track),
    }
    return {
        "type": kind,
        "trackId": _track_id(track),
        "name": track.name,
        "assemblyNames": [assembly],
        "category": ["histpred", *filter(None, [_category(track)])],
        "adapter": adapter,
        "displays": [{**shown, **look}],
    }


def _category(track: Track) -> str:
    return "classes of marks" if track.kind == CLASS else track.mark_class


def _track_id(track: Track) -> str:
    return f"histpred-{re.sub('[^A-Za-z0-9._-]+', '-', track.name).strip('-')}"


def _location(path: str) -> dict[str, object]:
    return {"uri": path, "locationType": "UriLocation"}
