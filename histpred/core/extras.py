"""The extras of histpred: the packages that some verbs need, and how to install them.

Only this module says how to install one. The command names what histpred was installed from, so it
is true before and after a release: a checkout, an address, or a package index.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from histpred.core.errors import UsageError, first_few

CHECKOUT = Path(__file__).resolve().parents[2]

PACKAGES = {
    "train": ("torch", "sklearn", "scipy", "matplotlib", "onnx", "pyarrow", "yaml"),
    "anndata": ("anndata", "pyarrow"),
    "labels": ("pybedtools", "sklearn", "scipy", "matplotlib"),
}
"""Extra -> the modules that `need` looks for."""


def how_to_install(extra: str, checkout: Path = CHECKOUT) -> str:
    """The command that installs an extra; `checkout` is the folder that holds the package.

    >>> how_to_install("train", Path("/usr/lib/python3/site-packages"))
    "in a checkout of histpred: pip install '.[train]'"
    """
    install = f"pip install '.[{extra}]'"
    if (checkout / "bin" / "histpred").exists():
        return f"HISTPRED_EXTRAS={extra} bin/histpred ..., or in your own environment: {install}"
    origin = _origin(checkout)
    if origin is None:
        return f"in a checkout of histpred: {install}"
    return f"pip install 'histpred[{extra}]{f' @ {origin}' if origin else ''}'"


def _origin(folder: Path) -> str | None:
    """What pip installed histpred in `folder` from: an address, '' for a package index.

    None: unknown, or a local file or folder that is gone.
    """
    found = list(metadata.distributions(name="histpred", path=[str(folder)]))
    if not found:
        return None
    recorded = found[0].read_text("direct_url.json")  # pip writes it, except from an index
    if recorded is None:
        return ""
    record = json.loads(recorded)
    url = str(record["url"])
    if url.startswith("file:") and not Path(url2pathname(urlsplit(url).path)).exists():
        return None
    control = record.get("vcs_info")
    return f"{control['vcs']}+{url}@{control['commit_id']}" if control else url


def how_to_use_gpu() -> str:
    """The command that makes onnxruntime the one that knows CUDA.

    onnxruntime and onnxruntime-gpu install into the same folder, and pip and uv may install either
    last. The last one counts.
    """
    try:
        version = metadata.version("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return how_to_install("gpu")
    return f"pip install --force-reinstall --no-deps onnxruntime-gpu=={version}"


def hides_gpu(providers: Sequence[str]) -> bool:
    """True if onnxruntime-gpu is installed, but onnxruntime's files lie over its files."""
    if "CUDAExecutionProvider" in providers:
        return False
    return any(metadata.distributions(name="onnxruntime-gpu"))


def need(extra: str, but: str | None = None) -> None:
    """Raise UsageError unless the packages of `extra`, except `but`, are installed.

    If matplotlib is one of them, it is imported, as `_import_matplotlib` does.
    """
    wanted = [name for name in PACKAGES[extra] if name != but]
    if missing := [name for name in wanted if importlib.util.find_spec(name) is None]:
        raise UsageError(
            f"this needs {first_few(missing)}, which is not installed",
            f"install it with {how_to_install(extra)}",
        )
    if "matplotlib" in wanted:
        _import_matplotlib()


def _import_matplotlib() -> None:
    """Import matplotlib so that it writes its list of fonts into no folder that lasts.

    MPLCONFIGDIR, if the user has set it, counts as ever.
    """
    name = "MPLCONFIGDIR"
    if "matplotlib" in sys.modules or os.environ.get(name):
        return
    with tempfile.TemporaryDirectory(prefix="histpred-") as folder:
        os.environ[name] = folder
        try:
            importlib.import_module("matplotlib.font_manager")
        finally:
            del os.environ[name]
