from __future__ import annotations

import re

from histpred.genome import reasons


def test_every_reason_has_a_meaning_and_is_in_the_docs(repository):
    codes = {
        value for name, value in vars(reasons).items() if isinstance(value, str) and name[0] != "_"
    }
    assert len(codes) == 20
    assert set(reasons.MEANINGS) == codes
    text = (repository / "docs" / "inputs.md").read_text(encoding="utf-8")
    chapter = text.split("## Skipped rows")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", chapter, re.MULTILINE))
    assert documented == codes
