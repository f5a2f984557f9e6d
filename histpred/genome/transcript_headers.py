"""The headers of transcripts in FASTA files of Ensembl (cdna, ncrna) and of GENCODE."""

from __future__ import annotations

import re
from typing import NamedTuple

_ENSEMBL = re.compile(r"\b(gene|gene_symbol|gene_biotype|transcript_biotype):(\S+)")


class Header(NamedTuple):
    """What the header of a transcript states; '.' for what it does not."""

    transcript: str
    gene_id: str = "."
    gene_name: str = "."
    biotype: str = "."
    gene_biotype: str = "."


def read_header(name: str, description: str) -> Header:
    """Read a header of Ensembl or GENCODE, divided at its first blank; of others only the ID.

    >>> read_header("ENST1.2|ENSG1.5|OTTG|OTTT|DDX11L1-202|DDX11L1|1657|lncRNA|", "")
    Header(transcript='ENST1.2', gene_id='ENSG1.5', gene_name='DDX11L1', biotype='lncRNA', \
gene_biotype='.')
    >>> read_header("ENST1.2", "ncrna 1:GRCh38:1 gene:ENSG1.5 gene_biotype:lncRNA gene_symbol:A")
    Header(transcript='ENST1.2', gene_id='ENSG1.5', gene_name='A', biotype='lncRNA', \
gene_biotype='lncRNA')
    """
    fields = [field if field not in ("", "-") else "." for field in name.split("|")]
    if len(fields) >= 8:
        return Header(fields[0], fields[1], fields[5], fields[7])
    stated: dict[str, str] = dict(
        reversed(_ENSEMBL.findall(description.partition(" description:")[0]))
    )
    if "gene" not in stated:
        return Header(name)
    biotype = stated.get("gene_biotype", ".")
    own = stated.get("transcript_biotype", biotype)
    return Header(name, stated["gene"], stated.get("gene_symbol", "."), own, biotype)


def transcript_id(name: str) -> str:
    """The ID of a transcript, from the name of its record.

    >>> transcript_id("ENST1.2|ENSG1.5|"), transcript_id("NR_1.1")
    ('ENST1.2', 'NR_1.1')
    """
    return name.partition("|")[0]
