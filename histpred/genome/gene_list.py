"""Genes that are asked for by name: the rows that have the names, and what is near the others.

A row has a name if it is the row's name, the name of its gene, its ID or that of its gene, or such
an ID of Ensembl, GENCODE or RefSeq without its version. A name in another case counts if no row has
the very name, and all rows that have it in another case spell it alike.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from histpred.core.errors import InputError
from histpred.core.spelling import nearest
from histpred.core.text import agreeing, counted
from histpred.genome.bed import is_header
from histpred.genome.lines import open_lines
from histpred.genome.reasons import GENE_NOT_FOUND, GENE_NOT_SELECTED, NOT_SELECTED
from histpred.genome.regions import Feature

LOOKED_AT = 200_000  # names that are kept to find the nearest ones
EXPLAINED = 25  # missing names for which the nearest ones are looked up
LISTED = 10  # missing names in a message
NEAR = 3  # nearest names of a missing one
VERSIONED = re.compile(r"(ENS[A-Z]*\d{11}|[NX][MR]_\d{6,})\.\d+(?:_PAR_Y)?")


class GeneList:
    """The genes that are asked for; `pick` tells the rows of one annotation apart."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._exact = frozenset(self.names)
        self._by_case: dict[str, list[str]] = {}
        for name in self.names:
            self._by_case.setdefault(name.casefold(), []).append(name)
        self._found: dict[str, set[tuple[str, str]]] = {}  # ID and contig of the genes, by name
        self._spellings: dict[str, dict[str, None]] = {}  # in another case, by name
        self._respelled: dict[str, str] = {}  # names that were found in another case only
        self._versions: dict[str, str] = {}  # IDs by themselves without their version
        self._seen: dict[str, None] = {}
        self._notes: dict[str, str] = {}

    def pick(self, rows: Iterable[Feature], source: str) -> Iterator[Feature]:
        """Yield all rows; those of other genes have the problem 'gene-not-selected'.

        Names that no row has follow as rows at line 0 with the problem 'gene-not-found'. Raises
        InputError if no row of `source`, the annotation's name, has any of the names.
        """
        uncertain: list[tuple[Feature, list[str]]] = []
        for row in rows:
            names = self._names_of(row)
            meant = self._in_another_case(names)
            if found := self._exact.intersection(names):
                self._note_gene(row, found)
                yield row
            elif meant:
                uncertain.append((row, meant))
            else:
                yield _not_selected(row)

        self._respelled = {
            name: next(iter(spellings))
            for name, spellings in self._spellings.items()
            if len(spellings) == 1 and name not in self._found
        }
        for row, meant in uncertain:
            respelled = self._respelled.keys() & meant
            self._note_gene(row, respelled)
            yield row if respelled else _not_selected(row)

        missing = self.missing()
        if len(missing) == len(self.names):
            self._refuse_all(source)
        for name in missing:
            note = self.nearest(name)
            yield Feature(0, ".", 0, 0, ".", name, problem=GENE_NOT_FOUND, note=note)

    def missing(self) -> list[str]:
        """The names that no row has, once all rows were picked."""
        known = self._found.keys() | self._respelled.keys()
        return [name for name in self.names if name not in known]

    def warnings(self, source: str) -> list[str]:
        """The names that no row of `source` has, as a sentence for the user."""
        if not (missing := self.missing()):
            return []
        are = agreeing(len(missing), "is", "are")
        number = f"{len(missing)} of {counted(len(self.names), 'gene')} {are} not in {source}"
        return [f"{number}: {self._listed(missing)}"]

    def notices(self) -> list[str]:
        """The names that were found in another case, and those of several genes."""
        said = []
        if pairs := [f"{name} = {spelling}" for name, spelling in self._respelled.items()]:
            said.append(f"genes written in another case: {_some(pairs)}")
        counts = {name: len(genes) for name, genes in self._found.items() if len(genes) > 1}
        if several := [f"{name} ({count})" for name, count in counts.items()]:
            said.append(f"names of more than one gene, all of which are used: {_some(several)}")
        return said

    def nearest(self, name: str) -> str:
        """A note on a missing name: the nearest names of the annotation, or why it is unclear."""
        if name not in self._notes:
            self._notes[name] = self._look_up(name) if len(self._notes) < EXPLAINED else ""
        return self._notes[name]

    def _note_gene(self, row: Feature, names: Iterable[str]) -> None:
        for name in names:
            self._found.setdefault(name, set()).add((row.gene_id, row.chrom))

    def _names_of(self, row: Feature) -> list[str]:
        """The names of a row, and its IDs without version; they are kept to be compared."""
        names = []
        for name in dict.fromkeys((row.name, row.gene_name, row.gene_id)):
            if name in ("", "."):
                continue
            names.append(name)
            if match := VERSIONED.fullmatch(name):
                names.append(match[1])
                if len(self._versions) < LOOKED_AT:
                    self._versions[match[1]] = name
            elif len(self._seen) < LOOKED_AT:
                self._seen[name] = None
        return names

    def _in_another_case(self, names: Iterable[str]) -> list[str]:
        """The names asked for that differ from those of a row in their case only."""
        found = []
        for name in names:
            for meant in self._by_case.get(name.casefold(), ()):
                if meant != name:
                    self._spellings.setdefault(meant, {})[name] = None
                    found.append(meant)
        return found

    def _look_up(self, name: str) -> str:
        if spellings := self._spellings.get(name):
            return f"{_some(list(spellings))} differ in their case: write one of them"
        if match := VERSIONED.fullmatch(name):
            other = self._versions.get(match[1])
            return f"there is {other}: leave out the version" if other else ""
        first = _first(name)  # typing errors are rare there, and to compare all names takes long
        near = nearest(name, [seen for seen in self._seen if _first(seen) == first])
        return f"nearest: {', '.join(near)}" if near else ""

    def _listed(self, missing: list[str]) -> str:
        notes = ((name, self.nearest(name)) for name in missing[:LISTED])
        shown = [f"{name} ({note})" if note else name for name, note in notes]
        rest = len(missing) - len(shown)
        return ", ".join(shown) + (f" and {rest} more; the ledger has all" if rest else "")

    def _refuse_all(self, source: str) -> None:
        found = f"it has none of the genes that --genes names: {self._listed(list(self.names))}"
        first = [*self._seen, *self._versions.values()][:NEAR]
        hint = "are they of the same species, and are both names or both IDs?"
        raise InputError(source, found, f"{hint} It has {', '.join([*first, '...'])}")


def read_gene_list(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names in a file, one a line, plain or compressed; blank lines and '#' lines are left out.

    Raises InputError for a file with columns, or without a name.
    """
    names: dict[str, None] = {}
    with open_lines(path) as lines:
        for number, line in lines:
            name = line.strip().strip("\"'").strip()
            if is_header(line) or not name:
                continue
            if re.search(r"[\t,;]", name):
                hint = (
                    "give one name a line, for example: cut -f1 FILE (TSV), cut -d, -f1 FILE (CSV)"
                )
                raise InputError(lines.name, f"a line with columns: {line[:40]!r}", hint, number)
            names[name] = None
    if not names:
        raise InputError(path, "names no gene", "give one name a line")
    return tuple(names)


def _first(name: str) -> str:
    return name[:1].casefold()


def _not_selected(row: Feature) -> Feature:
    return row if row.problem == NOT_SELECTED else row._replace(problem=GENE_NOT_SELECTED)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED])
    return shown + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
