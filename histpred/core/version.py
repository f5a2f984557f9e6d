"""The release of histpred."""

__version__ = "1.0.0"
