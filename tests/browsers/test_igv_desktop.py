"""A hub's session in IGV Desktop, on a screen that nobody sees."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from support.browsers import colours, why_no_browser

MISSING = [program for program in ("igv", "xvfb-run") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)} on PATH"),
    pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser()),
]


def test_genes(page, genes, tmp_path):
    sizes = genes.folder / "demo" / "contigs.chrom.sizes"
    # IGV opens its default genome before it reads a batch file, and would fetch it.
    (tmp_path / "prefs").write_text(f"DEFAULT_GENOME_KEY={sizes}\nIGV.Bounds=0,0,1366,768\n")
    orders = ["goto chr22:20000000-20100000", f"snapshotDirectory {tmp_path}", "snapshot seen.png"]
    (tmp_path / "batch").write_text(
        "\n".join([f"load {genes.folder}/igv-session.xml", *orders, "exit", ""])
    )
    igv = ["igv", "--igvDirectory", tmp_path / "igv", "-o", tmp_path / "prefs", "-g", sizes]
    done = subprocess.run(
        ["xvfb-run", "--auto-servernum", *igv, "-b", tmp_path / "batch"],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Error loading" not in said, said[-4000:]
    seen = colours(page, (tmp_path / "seen.png").read_bytes())
    rows = genes.between(20_000_000, 20_100_000)
    for name in genes.shown:
        assert all(seen[shade] > 20 for shade in genes.shades(rows, name))
