"""The extras of histpred: the packages that some verbs need, and how to install them.

Only this module says how to install one. histpred is on no package index: it is installed from a
checkout.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

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
    if not (checkout / "bin" / "histpred").exists():
        return f"in a checkout of histpred: {install}"
    return f"HISTPRED_EXTRAS={extra} bin/histpred ..., or in your own environment: {install}"


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
