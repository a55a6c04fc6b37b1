"""The one function of pymatting that a cut-out needs, without the rest of that package.

pymatting compiles all it has when it is first imported on a machine: 80 s on one core, a few for what this one needs
(`NUMBA_CACHE_DIR=$(mktemp -d) python -c "import core.cutout.foreground"`). In a container, whose caches go with
it, that is every start. So its packages are entered as bare folders while it is imported: no `__init__` runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

PACKAGES: Final = ("", ".alpha", ".foreground", ".laplacian", ".preconditioner", ".solver", ".util")


def chosen(module: str, function: str) -> Any:
    """Import one function of one module of pymatting, and compile no more than those two need."""
    bare = [f"pymatting{package}" for package in PACKAGES if f"pymatting{package}" not in sys.modules]
    for name in bare:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.modules[name] = folder = ModuleType(name)
        folder.__path__, folder.__spec__ = spec.submodule_search_locations, spec
    try:
        return getattr(importlib.import_module(f"pymatting.{module}"), function)
    finally:
        for name in bare:  # whoever imports the package itself later gets all of it
            del sys.modules[name]


estimate_foreground_ml = chosen("foreground.estimate_foreground_ml", "estimate_foreground_ml")
