"""RO-Crates as roc-validator reads them, offline (https://pypi.org/project/roc-validator)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

RO_CRATE = "https://w3id.org/ro/crate/1.1/context"
WORKFLOW_RUN = "https://w3id.org/ro/terms/workflow-run"
# What crates of the pipeline use of the two contexts, which are on the web.
CONTEXTS: dict[str, dict[str, Any]] = {
    RO_CRATE: {
        "@vocab": "http://schema.org/",
        "File": "http://schema.org/MediaObject",
        "conformsTo": "http://purl.org/dc/terms/conformsTo",
    },
    f"{WORKFLOW_RUN}/context": {
        name: f"{WORKFLOW_RUN}#{name}" for name in ("ContainerImage", "containerImage", "sha256")
    },
}
FETCHED = ["ro-crate-1.1_3.1", "ro-crate-1.1_3.2"]  # checks that fetch the contexts


def problems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return where a folder is no Process Run Crate; skip the test without the validator."""
    services = pytest.importorskip("rocrate_validator.services", reason="needs roc-validator")
    from rocrate_validator.utils import document_loader

    def fetch(address: str) -> dict[str, Any]:
        return {"@context": CONTEXTS[address]}

    monkeypatch.setattr(document_loader, "_fetch_json_ld", fetch)
    result = services.validate(
        {
            "rocrate_uri": str(folder),
            "profile_identifier": "process-run-crate-0.5",
            "skip_checks": FETCHED,
            "skip_availability_check": True,
        }
    )
    return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
