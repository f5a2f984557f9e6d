"""Fuzz one reader, guided by coverage (atheris): mutate files until one gives a wrong exception.

    python tests/fuzz/run.py READER [SECONDS] [FOLDER]

READER is bed, gtf, gff3, fasta-index, block-index or manifest; SECONDS is 600 unless given. FOLDER
keeps the inputs that reached new code, so that a later run goes on from there. The exit code is 0
if nothing was found. Otherwise the input is in the current folder, as crash-*, timeout-* or oom-*:
mend the reader, and add the input to FOUND in tests/fuzz/test_fuzz.py.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

sys.path[:1] = [str(folder) for folder in Path(__file__).resolve().parents[1:3]]
with atheris.instrument_imports(include=["histpred", "fuzz.readers"]):
    from fuzz.readers import READERS, Reader, control

    from histpred.bundle import manifest  # noqa: F401 - else imported when it is first used

SECONDS = 600
LONGEST_INPUT = 20_000  # bytes
SLOWEST = 20  # seconds for one input
MOST_MEMORY = 2000  # MB, beyond what this process has used before


def main(name: str, seconds: int = SECONDS, folder: Path | None = None) -> None:
    """Fuzz until the time is over or something is found; ends the process."""
    warnings.simplefilter("error")
    # libFuzzer reads the peak, which a process takes over from the one that started it.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    reader = Reader(control, (b"row\n",)) if name == "control" else READERS[name]()
    with tempfile.TemporaryDirectory() as scratch:
        corpus, words = folder or Path(scratch, "corpus"), Path(scratch, "words")
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(reader.seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in reader.words))
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST_INPUT}",
            f"-timeout={SLOWEST}",
            f"-rss_limit_mb={peak + MOST_MEMORY}",
            *([f"-dict={words}"] if reader.words else []),
            str(corpus),
        ]
        atheris.Setup([sys.argv[0], *options], lambda content: reader.refuses(content) and None)
        atheris.Fuzz()


def _escaped(word: str) -> str:
    """A word as libFuzzer's dictionaries write it."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    name, *rest = sys.argv[1:] or ["--help"]
    if name not in (*READERS, "control"):
        sys.exit(__doc__)
    main(name, *map(int, rest[:1]), *map(Path, rest[1:]))
