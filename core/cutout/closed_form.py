"""The two functions of pymatting that a cutout needs, without the rest of that package.

pymatting compiles all it has when it is first imported on a machine: 80 s on one core, 22 s for what these two
need (`NUMBA_CACHE_DIR=$(mktemp -d) python -c "import core.cutout.closed_form"`). In a container, whose caches go with
it, that is every start. So its packages are entered as bare folders while these are imported: no `__init__` runs.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

PACKAGES: Final = ("", ".alpha", ".foreground", ".laplacian", ".preconditioner", ".solver", ".util")


def _chosen() -> tuple[Any, Any]:
    bare = [f"pymatting{package}" for package in PACKAGES if f"pymatting{package}" not in sys.modules]
    for name in bare:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.modules[name] = folder = ModuleType(name)
        folder.__path__, folder.__spec__ = spec.submodule_search_locations, spec
    try:
        from pymatting.alpha.estimate_alpha_cf import estimate_alpha_cf
        from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml
    finally:
        for name in bare:  # whoever imports the package itself later gets all of it
            del sys.modules[name]
    return estimate_alpha_cf, estimate_foreground_ml


estimate_alpha_cf, estimate_foreground_ml = _chosen()
