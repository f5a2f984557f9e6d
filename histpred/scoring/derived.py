"""What is made from a finished prediction and lies in its folder: a hub of tracks and a report.

Their files are named here, below the verbs that write them, so that a new prediction can remove
what an earlier one left: no hub or report may show another prediction than the tables beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from histpred.core.errors import OutputError
from histpred.core.output import WORK

HUB, GENOMES, TRACKS, ONE_FILE = "hub.txt", "genomes.txt", "trackDb.txt", "one-file-hub.txt"
IGV_JSON, IGV_XML, JBROWSE = "igv-session.json", "igv-session.xml", "jbrowse-config.json"
SIZES = "contigs.chrom.sizes"  # IGV Desktop goes by the ending
FOLDER = "hub"  # in that of a prediction, of predict --tracks
OURS = "hub histpred\n"
GENERATOR, HEAD = b'<meta name="generator" content="histpred ', 500  # in the head of a page of ours
REPORT = "report.html"  # of histpred report


def hub_is_due(out: Path, fresh: bool) -> bool:
    """Whether a prediction in `out` needs its hub written: it is `fresh`, or has none."""
    return fresh or not is_hub(out / FOLDER / HUB)


def refuse_other_hub(out: Path) -> None:
    """Raise OutputError where the hub of a prediction in `out` would lie among other files."""
    hub = out / FOLDER
    ours = is_hub(hub / HUB) or (hub / WORK).exists()  # the latter of a run that was killed
    if hub.exists() and not ours and any(hub.iterdir()):
        raise OutputError(
            f"{hub} holds something else than a hub of histpred",
            "move it away, or write the tracks elsewhere: histpred tracks",
        )


def remove_shown(out: Path) -> None:
    """Take away what was made of an earlier prediction in `out`: its hub and its report."""
    remove_hub(out / FOLDER)
    report = out / REPORT
    with suppress(OSError):
        if GENERATOR in report.read_bytes()[:HEAD]:
            report.unlink()


def remove_hub(folder: Path) -> None:
    """Take away a hub of `write_hub`, and nothing else that may lie there."""
    names = hub_files(folder)
    for name in names:
        (folder / name).unlink(missing_ok=True)
    remove_empty(folder, names)
    with suppress(OSError):  # a folder that is not empty stays
        folder.rmdir()


def remove_empty(folder: Path, names: Iterable[str]) -> None:
    """The folders of these files, where nothing else lies in them."""
    for place in {(folder / name).parent for name in names} - {folder}:
        with suppress(OSError):
            place.rmdir()


def hub_files(folder: Path) -> list[str]:
    """The files of a hub of ours in a folder, as itself says; the one that marks it comes last."""
    if not is_hub(folder / HUB):
        return []
    inner = []
    for track_list in _settings(folder / GENOMES, "trackDb"):
        assembly = Path(track_list).parent.name
        files = [*_settings(folder / assembly / TRACKS, "bigDataUrl"), TRACKS, SIZES]
        inner += [f"{assembly}/{Path(name).name}" for name in files]  # never beyond the hub
    return [*inner, IGV_JSON, IGV_XML, JBROWSE, GENOMES, ONE_FILE, HUB]


def _settings(path: Path, name: str) -> list[str]:
    """What a text of a hub gives as a setting, everywhere it does."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == name]


def is_hub(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(OURS)) == OURS.encode()
    except OSError:
        return False
