"""Print where a folder is no Process Run Crate, as a list in JSON. Run where roc-validator is."""

from __future__ import annotations

import json
import sys
from typing import Any

from rocrate_validator import services
from rocrate_validator.utils import document_loader

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


def fetch(address: str) -> dict[str, Any]:
    """Return a context without the web."""
    return {"@context": CONTEXTS[address]}


document_loader._fetch_json_ld = fetch
result = services.validate(
    {
        "rocrate_uri": sys.argv[1],
        "profile_identifier": "process-run-crate-0.5",
        "skip_checks": FETCHED,
        "skip_availability_check": True,
    }
)
print(json.dumps([f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]))
