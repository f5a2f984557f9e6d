"""Load the scripts that lie outside the package: benchmarks/, docs/, training/."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

from support.command_line import ROOT


def load_script(path: str) -> ModuleType:
    """Import a script of the checkout, with its folder on sys.path as when Python runs it.

    The modules beside it are imported under their own names; the script's name is the path with
    underscores, so that it never hides a package.
    """
    script = ROOT / path
    name = f"script_{Path(path).with_suffix('').as_posix().replace('/', '_')}"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with mock.patch.object(sys, "path", [str(script.parent), *sys.path]):
        spec.loader.exec_module(module)
    return module
