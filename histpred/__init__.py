"""Histone-mark prediction for non-coding RNA genes from sequence alone."""

from __future__ import annotations

from histpred.core.version import __version__

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from typing import Any

    from histpred.api import (
        embed,
        evaluate,
        experiment,
        explain,
        predict,
        to_anndata,
        train,
        variants,
        windows,
    )

__all__ = [
    "__version__",
    "embed",
    "evaluate",
    "experiment",
    "explain",
    "predict",
    "to_anndata",
    "train",
    "variants",
    "windows",
]


def __getattr__(name: str) -> Any:
    """The functions of `histpred.api`, loaded when they are asked for."""
    if name in __all__:
        from histpred import api

        return getattr(api, name)
    raise AttributeError(f"module 'histpred' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What the package offers, before any of it is loaded."""
    return sorted(__all__)
