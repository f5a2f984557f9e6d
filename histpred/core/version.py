"""The release of histpred."""

__version__ = "0.1.0"
