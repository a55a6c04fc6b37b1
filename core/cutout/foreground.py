"""The one function of pymatting that a cut-out needs, without the rest of that package.

pymatting compiles all it has when it is first imported on a machine: 80 s on one core, a few for what this one needs
(`NUMBA_CACHE_DIR=$(mktemp -d) python -c "import core.cutout.foreground"`). In a container, whose caches go with
it, that is every start. So its packages are entered as bare folders while it is imported: no `__init__` runs.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

PACKAGES: Final = ("", ".foreground", ".util")


def _chosen() -> Any:
    bare = [f"pymatting{package}" for package in PACKAGES if f"pymatting{package}" not in sys.modules]
    for name in bare:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.modules[name] = folder = ModuleType(name)
        folder.__path__, folder.__spec__ = spec.submodule_search_locations, spec
    try:
        from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml
    finally:
        for name in bare:  # whoever imports the package itself later gets all of it
            del sys.modules[name]
    return estimate_foreground_ml


estimate_foreground_ml = _chosen()
