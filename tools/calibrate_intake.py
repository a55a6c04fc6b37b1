"""Print how the intake's rules treat a folder of photos that ought to be kept: tools/calibrate_intake.py FOLDER

First each rule: its limit, where the photos lie, how many it refuses. Then all rules but size, by
thirds of skin luminance: a rule that refuses dark skin more often than fair skin is wrong whatever
its average says.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from core.intake.locate import locate
from core.intake.quality import RULES, Measures, measure
from core.models import Models
from core.types import Rejected

SIZE = "face_small"
"""This rule speaks of the file, not of the photo: what it refuses is left out of every other number."""


def main(folder: Path) -> None:
    """Measure every file of a folder and print both tables."""
    models, screen = Models(), Console()
    measured: dict[str, Measures] = {}
    stopped: list[Rejected] = []
    for file in track(sorted(folder.rglob("*.*")), "Measuring", console=Console(stderr=True)):
        seen = locate(file.read_bytes(), file.name, models)
        if isinstance(seen, Rejected):
            stopped.append(seen)
        else:
            measured[file.name] = measure(seen.rgb, seen.mesh)
    size = next(rule for rule in RULES if rule.reason == SIZE)
    judged = {name: found for name, found in measured.items() if not size.broken_by(found)}
    screen.print(f"{len(measured) + len(stopped)} photos, {len(judged)} large enough, {len(stopped)} not measured:")
    for no in stopped:
        screen.print(f"  {no.name}: {no.reason} {no.measured:.1f} (limit {no.limit:.1f})")

    rules = Table("rule", "measure", "limit", "min", "1 %", "median", "99 %", "max", "refused", "first of them")
    for rule in RULES:
        among = measured if rule is size else judged
        values = [getattr(found, rule.measure) for found in among.values()]
        refused = [name for name, found in among.items() if rule.broken_by(found)]
        spread = [f"{value:.3g}" for value in np.percentile(values, (0, 1, 50, 99, 100))]
        limit = f"{'>=' if rule.least else '<='} {rule.limit:g}"
        rules.add_row(rule.reason, rule.measure, limit, *spread, str(len(refused)), " ".join(refused[:6]))
    screen.print(rules)

    thirds = Table("third by skin luminance", "luminance", "photos", "kept", "refused %")
    by_light = np.array_split(sorted(judged.values(), key=lambda found: found.luminance), 3)
    for label, third in zip(("darkest", "middle", "lightest"), by_light, strict=True):
        kept = [found for found in third if not any(rule.broken_by(found) for rule in RULES)]
        between = f"{third[0].luminance:.3f} to {third[-1].luminance:.3f}"
        thirds.add_row(label, between, str(len(third)), str(len(kept)), f"{100 - 100 * len(kept) / len(third):.1f}")
    screen.print(thirds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
