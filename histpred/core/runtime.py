"""onnxruntime, kept quiet and offline: the one place that imports it."""

from __future__ import annotations

import os
from types import ModuleType


def load_onnxruntime() -> ModuleType:
    """The module onnxruntime, without telemetry and with nothing but fatal messages.

    Release 1.32 prepares telemetry as soon as it is imported: files in the home and the temporary
    folder, and an upload. The variable keeps it from all of that; `disable_telemetry_events` would
    come too late.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return onnxruntime
