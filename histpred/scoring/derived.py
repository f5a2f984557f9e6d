"""The hub and the report in the folder of a prediction, which are made from its tables.

Their files are named here, below the verbs that write them, because a new prediction removes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

from histpred.core.errors import OutputError
from histpred.core.output import WORK

HUB, GENOMES, TRACKS, ONE_FILE = "hub.txt", "genomes.txt", "trackDb.txt", "one-file-hub.txt"
IGV_JSON, IGV_XML, JBROWSE = "igv-session.json", "igv-session.xml", "jbrowse-config.json"
IGV_ALL = "igv-session-all.json"  # igv.js cannot hide a track
TOP_FILES = (
    IGV_JSON,
    IGV_ALL,
    IGV_XML,
    JBROWSE,
    GENOMES,
    ONE_FILE,
    HUB,
)  # hub.txt, the mark, comes last
DESCRIPTION = "marks.html"  # of the tracks, in UCSC's browser
PAGE = "html"  # the setting that names it
SIZES = "contigs.chrom.sizes"  # IGV Desktop tells the format from the ending
FOLDER = "hub"  # in the folder of predict --tracks
OURS = b"hub histpred\n"  # first line of our hubs
GENERATOR = b'<meta name="generator" content="histpred '  # in the first HEAD bytes of our pages
HEAD = 500
REPORT = "report.html"  # of histpred report


def refuse_other_hub(out: Path) -> None:
    """Raise OutputError if the place of a hub in `out` holds other files."""
    hub = out / FOLDER
    ours = is_hub(hub / HUB) or (hub / WORK).exists()  # WORK: left by a killed run
    if hub.exists() and not ours and any(hub.iterdir()):
        raise OutputError(
            f"{hub} holds something other than a hub of histpred",
            "move it away, or write the tracks elsewhere with histpred tracks",
        )


def remove_shown(out: Path) -> None:
    """Remove the hub and the report of an earlier prediction in `out`."""
    remove_hub(out / FOLDER)
    report = out / REPORT
    with suppress(OSError):
        if GENERATOR in report.read_bytes()[:HEAD]:
            report.unlink()


def remove_hub(folder: Path) -> None:
    """Remove a hub of `write_hub`; other files in the folder stay."""
    names = hub_files(folder)
    for name in names:
        (folder / name).unlink(missing_ok=True)
    remove_empty(folder, names)
    with suppress(OSError):  # a folder that is not empty stays
        folder.rmdir()


def remove_empty(folder: Path, names: Iterable[str]) -> None:
    """Remove the subfolders of these files that are empty."""
    for place in {(folder / name).parent for name in names} - {folder}:
        with suppress(OSError):
            place.rmdir()


def hub_files(folder: Path) -> list[str]:
    """The files of our hub in a folder, as its texts list them."""
    if not is_hub(folder / HUB):
        return []
    inner = []
    for track_list in _settings(folder / GENOMES, "trackDb"):
        assembly = Path(track_list).parent.name
        found = (_settings(folder / assembly / TRACKS, name) for name in ("bigDataUrl", PAGE))
        files = [*dict.fromkeys(chain(*found)), TRACKS, SIZES]
        inner += [f"{assembly}/{Path(name).name}" for name in files]  # never outside the hub
    return [*inner, *TOP_FILES]


def _settings(path: Path, name: str) -> list[str]:
    """All values of a setting in a text file of a hub."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == name]


def is_hub(path: Path) -> bool:
    """Return True if `path` is the hub.txt of a hub of histpred."""
    with suppress(OSError), open(path, "rb") as stream:
        return stream.read(len(OURS)) == OURS
    return False
