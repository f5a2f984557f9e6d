"""A gene x mark matrix from ChIP-seq peaks: a gene has a mark where peaks cover its region.

The region of a gene is a window of `histpred.genome.windows`, without a genome: only the contig's
start clips it. Peaks are BED3 or more (narrowPeak, broadPeak, gappedPeak), of which the first three
columns are read. Peaks of one mark and sample are united before anything is counted, by bedtools
(Quinlan and Hall 2010, doi:10.1093/bioinformatics/btq033) through pybedtools.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas

from histpred.core.errors import HistpredError, InputError, UsageError, first_few, first_line
from histpred.core.hts import has_room, no_room
from histpred.core.marks import ALIASES, canonical, is_mark
from histpred.genome.annotation import TRANSCRIPT, Annotation, level_for, open_annotation
from histpred.genome.bed import read_bed
from histpred.genome.lines import Lines, open_lines
from histpred.genome.naming import ContigNames
from histpred.genome.plan import Offenders, printable
from histpred.genome.regions import FARTHEST, INTERVAL, PROMOTER, Feature, Window
from histpred.genome.windows import WindowSpec, place
from histpred.labels.matrix import CARRIED, Made

logger = logging.getLogger(__name__)

INSTALL_LABELS = "pip install 'histpred[labels]' (a checkout: HISTPRED_EXTRAS=labels bin/histpred)"
INSTALL_BEDTOOLS = "install it: apt install bedtools, conda install -c bioconda bedtools, or brew"
COMPRESSED = (".gz", ".bgz")
SUFFIXES = (".bed", ".narrowPeak", ".broadPeak", ".gappedPeak")
SHEET_COLUMNS = ("mark", "file", "sample")
NO_PEAKS = "no-peak-on-the-contig"
UNJOINED_COLUMNS = ("line", "gene_id", *CARRIED[1:], "reason")

# A row that every file handed to bedtools ends with, and so every output: bedtools says nothing
# when the disk is full. Its name sorts behind those of `_contig`.
LAST = "z\t0\t1"

ROW = re.compile(r"([^\s#][^\t]*)\t([0-9]{1,9})\t([0-9]{1,9})(?:\t|$)")
Peaks = dict[int, list[tuple[int, int]]]


class PeakFile(NamedTuple):
    """Peaks of one mark in one sample; mark: canonical."""

    mark: str
    sample: str
    path: Path


class _Regions(NamedTuple):
    """What peaks are laid on.

    genes: a row each, as in Made. gene: int64 [regions], the row of `genes` that each region
    belongs to. bases: int64 [regions], their lengths. blocks: contig, start, end, region; a region
    has one, or several if it is spliced. contigs: names, by number. aliases: as Annotation's.
    """

    genes: pandas.DataFrame
    gene: np.ndarray
    bases: np.ndarray
    blocks: list[tuple[int, int, int, int]]
    contigs: list[str]
    aliases: dict[str, str]


def peak_files(paths: Sequence[Path], sheet: Path | None) -> list[PeakFile]:
    """Which mark and sample each file of peaks is of.

    Parameters
    ----------
    paths
        Files named MARK.SAMPLE.bed.gz, with anything between SAMPLE and the suffix, or MARK.bed.gz;
        .narrowPeak, .broadPeak and .gappedPeak likewise, compressed or not. A mark may be spelt
        with a dot (H2A.Z, H3.3).
    sheet
        Instead of `paths`: a tab-separated table with a header that names the columns mark, file
        (relative to the sheet) and, if need be, sample; others are ignored.

    A file without a sample is a sample of its own.

    Raises
    ------
    UsageError
        For both or neither of the two, and for names that do not begin with a histone mark.
    InputError
        (file:line) For a sheet that cannot be used.
    """
    if bool(paths) == bool(sheet):
        raise UsageError(
            "peaks and a sheet were given" if sheet else "no peaks were given",
            "give files named MARK.SAMPLE.bed.gz, or a sheet with the columns mark, file, sample",
        )
    if sheet:
        return _read_sheet(Path(sheet))
    files = [_by_name(Path(path)) for path in paths]
    if strange := [file.path.name for file in files if not is_mark(file.mark)]:
        raise UsageError(
            f"{len(strange)} of {len(files)} names of files do not begin with a histone mark: "
            f"{first_few(strange)}",
            "name them MARK.SAMPLE.bed.gz (H3K4me3.K562.bed.gz), or give a sheet that says which "
            "mark and sample each is of",
        )
    return files


def from_peaks(
    files: list[PeakFile],
    annotation: str,
    work: Path,
    window: WindowSpec,
    *,
    level: str | None = None,
    biotypes: tuple[str, ...] = (),
    unstranded: bool = False,
    min_fraction: float = 0.0,
    min_samples: float = 0.0,
) -> Made:
    """The genes of an annotation, and which marks peaks give them.

    A sample has a mark at a gene if its peaks, united, cover a base and the share `min_fraction` of
    the gene's region; a gene has the mark if one sample and the share `min_samples` of the mark's
    samples do. Rows with one id (gene_id, the name where it is '.') are one gene, for which it is
    enough that one of its regions is covered. Genes carry the place of their first row, not of the
    region.

    Parameters
    ----------
    annotation
        BED, GTF or GFF3; contigs may be named otherwise than in the peaks (chr1, 1).
    work
        A private folder for temporary files.
    window
        What the region of a row is; its `max_n_fraction` is not used.
    level, biotypes
        As for `histpred.genome.annotation.open_annotation`.
    unstranded
        Read the strand '.' as '+'.

    Returns
    -------
    Made
        Marks sorted; no value is NaN. unjoined: rows without a region, and genes on contigs where
        no file has a peak, with the columns UNJOINED_COLUMNS. counts: peak files, samples (of a
        mark: K562 counts once for each mark that it has peaks of), marks, genes, marked pairs (of
        gene and mark).

    Raises
    ------
    InputError
        For peaks (file:line) and annotations that cannot be read, rows without a strand where the
        window needs one, an annotation that leaves no region, and files without a contig in
        common.
    UsageError
        For shares outside 0 to 1, windows without a base, biotypes that are not there, and where
        pybedtools or bedtools is missing.
    """
    _check(window, min_fraction, min_samples)
    pybedtools = _import_pybedtools()
    options = {
        "window": str(window),
        "level": level_for(window.kind, level),
        "biotypes": list(biotypes),
        "unstranded": unstranded,
        "min_fraction": min_fraction,
        "min_samples": min_samples,
    }
    with open_annotation(annotation, work, window.kind, level, biotypes) as rows:
        regions, unjoined = _regions(rows, window, unstranded, options["level"] == TRANSCRIPT)
        inputs = {str(annotation): rows.digest}

    laid = work / "regions.bed"
    _write(laid, sorted(regions.blocks))
    reader = _Reader(regions)
    samples: dict[str, dict[str, dict[Path, None]]] = {}
    for mark, sample, path in files:
        samples.setdefault(mark, {}).setdefault(sample, {})[path] = None
    marks = tuple(sorted(samples))
    values = np.zeros((len(regions.genes), len(marks)), np.float32)
    for column, mark in enumerate(marks):
        having = np.zeros(len(regions.genes), np.int64)
        for paths in samples[mark].values():
            peaks: Peaks = {}
            for path in paths:
                for contig, rows in reader.read(path, inputs).items():
                    peaks.setdefault(contig, []).extend(rows)
            covered = _covered(pybedtools, laid, peaks, work, len(regions.bases))
            enough = (covered > 0) & (covered / regions.bases >= min_fraction)
            having[np.unique(regions.gene[enough])] += 1
        values[:, column] = (having > 0) & (having / len(samples[mark]) >= min_samples)
    reader.tell(annotation)
    seen, away = _on_contigs_with_peaks(regions, reader.with_peaks)
    if len(away) and seen.any():
        contigs = first_few(away["chrom"].unique())
        logger.warning(
            "%d genes lie on contigs where no file has a peak (%s): they are left unlabelled",
            len(away),
            contigs,
        )
        genes = regions.genes[seen].reset_index(drop=True)
        regions, values = regions._replace(genes=genes), values[seen]
        unjoined = pandas.concat([unjoined, away], ignore_index=True)

    counts = {
        "peak files": len({file.path for file in files}),
        "samples": sum(map(len, samples.values())),
        "marks": len(marks),
        "genes": len(regions.genes),
        "marked pairs": int((values == 1).sum()),
    }
    return Made(regions.genes, marks, values, unjoined, counts, inputs, options)


def _on_contigs_with_peaks(
    regions: _Regions, contigs: set[int]
) -> tuple[np.ndarray, pandas.DataFrame]:
    """Which genes, bool [genes], have a region on one of the contigs, by number; and the others, as
    rows of `unjoined`. Where there is no peak at all, peaks may not have been called.
    """
    seen = np.zeros(len(regions.genes), bool)
    for contig, _, _, region in regions.blocks:
        seen[regions.gene[region]] |= contig in contigs
    away = regions.genes[~seen].rename(columns={"id": "gene_id"})
    return seen, away.assign(line="", reason=NO_PEAKS)[list(UNJOINED_COLUMNS)]


def _check(window: WindowSpec, min_fraction: float, min_samples: float) -> None:
    shares = {"region that peaks must cover": min_fraction, "samples with the mark": min_samples}
    for what, share in shares.items():
        if not 0 <= share <= 1:
            raise UsageError(f"the share of the {what} is {share}", "give a number from 0 to 1")
    if window.kind == PROMOTER and window.upstream + window.downstream <= 0:
        raise UsageError(f"an empty region: {window}", "give it bases upstream or downstream")


def _import_pybedtools() -> Any:
    """pybedtools, whose import runs bedtools."""
    if shutil.which("bedtools") is None:
        raise UsageError(
            "the program bedtools, which lays peaks on genes, is not installed", INSTALL_BEDTOOLS
        )
    try:
        import pybedtools
    except ModuleNotFoundError as error:
        raise UsageError(
            f"labels from peaks need the package {error.name}, which is not installed",
            INSTALL_LABELS,
        ) from error
    return pybedtools


def _by_name(path: Path) -> PeakFile:
    name = path.name
    for suffixes in (COMPRESSED, SUFFIXES):
        for suffix in suffixes:
            if name.lower().endswith(suffix.lower()):
                name = name[: -len(suffix)]
                break
    fields = name.split(".")
    dotted = {alias.upper() for alias in ALIASES if "." in alias}
    if ".".join(fields[:2]).upper() in dotted:
        fields[:2] = [".".join(fields[:2])]
    mark, sample, *_ = [*fields, ""]
    return PeakFile(canonical(mark), sample or str(path), path)


def _read_sheet(sheet: Path) -> list[PeakFile]:
    files: list[PeakFile] = []
    columns: list[str] = []
    with open_lines(sheet) as lines:
        for number, line in lines:
            if not line.strip():
                continue
            fields = [field.strip() for field in line.split("\t")]
            if not columns:
                columns = [field.removeprefix("#").strip().lower() for field in fields]
                missing = [name for name in SHEET_COLUMNS[:2] if name not in columns]
                twice = [name for name in SHEET_COLUMNS if columns.count(name) > 1]
                if missing or twice:
                    raise InputError(
                        sheet,
                        f"{'no column' if missing else 'two columns'} {(missing or twice)[0]!r}: "
                        f"{first_few(fields)}",
                        "a sheet is tab-separated, with a header that names mark, file and, if "
                        "need be, sample",
                        number,
                    )
                continue
            if len(fields) != len(columns):
                raise InputError(
                    sheet,
                    f"{len(fields)} columns where the header has {len(columns)}",
                    "is a tab missing, or is the file cut short?",
                    number,
                )
            row = dict(zip(columns, fields, strict=True))
            if not (row["mark"] and row["file"]):
                raise InputError(sheet, "a row without a mark or a file", "fill it in", number)
            path = sheet.parent / row["file"]
            if not path.exists():
                raise InputError(
                    sheet, f"{path} does not exist", "paths are relative to the sheet", number
                )
            sample = row.get("sample") or str(path)
            files.append(PeakFile(canonical(row["mark"]), sample, path))
    if not files:
        raise InputError(sheet, "names no file of peaks", "a row for each below a header is needed")
    return files


def _regions(
    annotation: Annotation, window: WindowSpec, unstranded: bool, of_transcripts: bool
) -> tuple[_Regions, pandas.DataFrame]:
    """The regions of an annotation, and the rows that have none."""
    genes: dict[str, Feature] = {}
    numbers: dict[str, int] = {}
    contigs: dict[str, int] = {}
    gene, bases, blocks, unjoined = [], [], [], []
    strandless = Offenders()
    for feature in map(printable, annotation):
        needs_strand = window.kind != INTERVAL and not unstranded and not feature.problem
        if needs_strand and feature.strand == ".":
            strandless.add(feature)
        placed = place(feature, feature.chrom, FARTHEST, window)
        if placed.window is None:
            unjoined.append((feature.line, feature.gene_id, *_carried(feature), placed.reason))
            continue
        name = feature.gene_id if feature.gene_id != "." else feature.name
        genes.setdefault(name, feature)
        contig = contigs.setdefault(feature.chrom, len(contigs))
        pieces = _blocks(placed.window)
        blocks += [(contig, start, end, len(gene)) for start, end in pieces]
        bases.append(sum(end - start for start, end in pieces))
        gene.append(numbers.setdefault(name, len(numbers)))

    _refuse(annotation, window, strandless, len(gene), unjoined)
    if unmatched := annotation.unmatched():
        logger.warning("no row has the biotype %s", ", ".join(unmatched))
    if repeated := len(gene) - len(genes):
        logger.log(
            logging.INFO if of_transcripts else logging.WARNING,
            "%d rows of %s have the id of an earlier row and are one gene with it",
            repeated,
            annotation.name,
        )
    table = pandas.DataFrame(
        [(name, *_carried(feature)) for name, feature in genes.items()],
        columns=["id", *CARRIED[1:]],
    )
    regions = _Regions(
        table,
        np.array(gene, np.int64),
        np.array(bases, np.int64),
        blocks,
        list(contigs),
        annotation.aliases,
    )
    return regions, pandas.DataFrame(unjoined, columns=list(UNJOINED_COLUMNS))


def _carried(feature: Feature) -> tuple[str, str, str, int, int, str]:
    strand = feature.strand if feature.strand in "+-" else "."
    return (feature.name, feature.biotype, feature.chrom, feature.start, feature.end, strand)


def _blocks(window: Window) -> Iterable[tuple[int, int]]:
    return window.blocks or [(window.start, window.end)]


def _refuse(
    annotation: Annotation,
    window: WindowSpec,
    strandless: Offenders,
    found: int,
    unjoined: list[tuple[Any, ...]],
) -> None:
    if strandless.count:
        raise InputError(
            annotation.name,
            f"{strandless.count} rows have no strand, which {window.kind} regions need: "
            f"{strandless}",
            "give strands (column 6 of a BED), or take rows as they are with --window interval, "
            "or read '.' as '+' with --unstranded",
        )
    if found:
        return
    if not unjoined:
        raise InputError(
            annotation.name, "holds no row, so there is nothing to label", "give an annotation"
        )
    reasons = pandas.Series([row[-1] for row in unjoined]).value_counts()
    raise InputError(
        annotation.name,
        f"none of its {len(unjoined)} rows has a region: "
        + ", ".join(f"{reason} {count}" for reason, count in reasons.items()),
        "give other rows or another kind of window",
    )


class _Reader:
    """Reads peaks on the contigs of regions, and remembers what is to be told of the files."""

    def __init__(self, regions: _Regions) -> None:
        self.contigs = regions.contigs
        self.aliases = regions.aliases
        self.renamed: dict[str, str] = {}
        self.with_peaks: set[int] = set()
        self.files = 0
        self.apart: list[str] = []
        self.contigs_apart: dict[str, None] = {}
        self.empty: list[str] = []
        self.zero_length = 0

    def read(self, path: Path, digests: dict[str, str]) -> Peaks:
        """Starts and ends of a file's peaks by the number of their contig; its sha256 goes to
        `digests`.
        """
        by_contig: dict[str, list[tuple[int, int]]] = {}
        with open_lines(path) as lines:
            for chrom, start, end in _rows(lines):
                if start < end:
                    by_contig.setdefault(chrom, []).append((start, end))
                else:
                    self.zero_length += 1
            digests[str(path)] = lines.digest

        self.files += 1
        names = ContigNames(by_contig, dict)
        found: Peaks = {}
        for number, contig in enumerate(self.contigs):
            if name := names.resolve(contig, self.aliases.get(contig)):
                found[number] = by_contig[name]
        self.renamed |= names.renamed
        self.with_peaks.update(found)
        if not by_contig:
            self.empty.append(str(path))
        elif not found:
            self.apart.append(str(path))
            self.contigs_apart |= dict.fromkeys(by_contig)
        return found

    def tell(self, annotation: str) -> None:
        """Warn of empty files; raise InputError for files without a contig in common: a gene would
        lack the mark in their samples.
        """
        with_peaks = self.files - len(self.empty)
        if self.apart:
            raise InputError(
                self.apart[0],
                f"none of the contigs of {len(self.apart)} of {with_peaks} files of peaks is in "
                f"{annotation}: {first_few(self.contigs_apart)} here, {first_few(self.contigs)} "
                "there",
                "do the two belong together? chr1, 1 and NC_000001.11 are taken for the same where "
                "that is unambiguous",
            )
        if self.renamed:
            pairs = first_few(f"{name} = {other}" for name, other in self.renamed.items())
            logger.info("contigs under another name in the peaks: %s", pairs)
        if self.empty:
            logger.warning(
                "%d files of peaks are empty: %s", len(self.empty), first_few(self.empty)
            )
        if self.zero_length:
            logger.warning("%d peaks are 0 bp long and were left out", self.zero_length)


def _rows(lines: Lines) -> Iterator[tuple[str, int, int]]:
    """Contig, start and end of each peak. What follows differs between programs and is not read."""
    columns = 0
    for number, line in lines:
        match = ROW.match(line)
        chrom, start, end = (match[1], int(match[2]), int(match[3])) if match else ("", 0, 0)
        if not match or start > end:
            short = "\t".join(line.split("\t", 3)[:3])
            feature = next(read_bed(lines.name, [(number, short)]), None)  # says what is wrong
            if feature is None:
                continue
            _, chrom, start, end, *_ = feature
        tabs = line.count("\t")
        if tabs + 1 != (columns := columns or tabs + 1):
            raise InputError(
                lines.name,
                f"{tabs + 1} columns where the rows before have {columns}",
                "every row needs the same columns; is a tab missing or is the file cut short?",
                number,
            )
        yield chrom, start, end


def _contig(number: int) -> str:
    """A contig's name for bedtools: sorts as the number does, whatever the contig is called."""
    return f"c{number:09d}"


def _write(path: Path, rows: Iterable[tuple[int, int, int, int]]) -> None:
    """Sorted rows of contig, start, end, region as a BED4 that ends with LAST."""
    with open(path, "w", encoding="ascii") as target:
        for contig, start, end, region in rows:
            target.write(f"{_contig(contig)}\t{start}\t{end}\t{region}\n")
        target.write(f"{LAST}\t-1\n")


def _covered(pybedtools: Any, laid: Path, peaks: Peaks, work: Path, regions: int) -> np.ndarray:
    """How many bases of each region, int64 [regions], peaks cover. `laid`: the regions' BED."""
    paths = [work / f"{name}.bed" for name in ("peaks", "united", "overlaps")]
    written, united, overlaps = map(str, paths)
    with open(written, "w", encoding="ascii") as target:
        for number in sorted(peaks):
            contig = _contig(number)
            target.writelines([f"{contig}\t{a}\t{b}\n" for a, b in sorted(peaks[number])])
        target.write(f"{LAST}\n")
    try:
        merged = pybedtools.BedTool(written).merge(output=united)
        pybedtools.BedTool(str(laid)).intersect(merged, wo=True, sorted=True, output=overlaps)
    except pybedtools.helpers.BEDToolsError as error:
        if not has_room(work):
            raise no_room(paths[2]) from error
        raise HistpredError(
            f"bedtools failed: {first_line(error)}", "try a newer one: bedtools --version"
        ) from error

    try:
        table = pandas.read_csv(
            overlaps, sep="\t", header=None, usecols=[3, 7], names=range(8), dtype=np.int64
        )
        region, bases = table[3].to_numpy(), table[7].to_numpy()
        whole = region[-1] == -1 and bases[-1] == 1
    except (ValueError, IndexError):  # cut within a row, or empty
        whole = False
    if not whole:
        raise no_room(paths[2])
    covered = np.zeros(regions, np.int64)
    np.add.at(covered, region[:-1], bases[:-1])
    for path in paths:
        path.unlink()
    return covered
