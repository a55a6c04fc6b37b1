"""Count what the judge catches of made faults and drops of real portraits.

    python -m tools.calibrate_judge FOLDER --every 2 --out measures.json      measure, one line a portrait
    python -m tools.calibrate_judge --table measures.json ...                 the table of docs/pictures.md

FOLDER holds real portraits. Each is measured as it was photographed, with the mattes of our cut-out; once more with
other light and saved again, as no fault; and with each fault of FAULTS made into picture and mattes. A fault is caught
where the judge gives its reason. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from core import frame, studio
from core.colour import LUMINANCE, linear, normalized_convolution, srgb, to_bytes
from core.cutout.cutout import cut_out
from core.face.landmarks import map_face
from core.face.mesh import CHIN
from core.judge import realism
from core.judge.realism import EXPRESSIONS, GRIMACE, LIMITS
from core.models import Models
from core.types import F32, U8, FaceMap, Layers, Portrait, Recipe, Selfie

SIZE: Final = frame.PRINT_SIZES[-1]
EYE: Final = frame.EYE_DISTANCE * SIZE[0]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A portrait with its source, to be judged: rgb (H, W, 3) uint8 and the mattes (H, W) uint8."""

    rgb: U8
    head: U8
    neck: U8
    garment: U8
    source: FaceMap
    points: F32

    def without(self, gone: NDArray[np.bool_]) -> Case:
        """Return it with backdrop where `gone` (H, W) is."""
        figure = np.maximum(np.maximum(self.head, self.neck), self.garment)
        far = (cv2.dilate(figure, np.ones((5, 5), np.uint8)) < 8).astype(np.float32)
        behind = normalized_convolution(self.rgb.astype(np.float32) / 255, far + 1e-4, 0.5 * EYE)
        soft = cv2.GaussianBlur(gone.astype(np.float32), (0, 0), 0.8)
        rgb = self.rgb / np.float32(255) * (1 - soft[..., None]) + behind * soft[..., None]
        head, neck, garment = (
            np.round(matte * (1 - soft)).astype(np.uint8) for matte in (self.head, self.neck, self.garment)
        )
        return replace(self, rgb=to_bytes(rgb), head=head, neck=neck, garment=garment)


def case_of(photo: Path, models: Models) -> Case | str:
    """Take a real portrait as a case; or say why intake refuses it."""
    selfie = studio.look(photo.read_bytes(), photo.name, models)
    if not isinstance(selfie, Selfie):
        return selfie.reason
    face = map_face(selfie)
    face = replace(face, unsure=models.parser.parse(face).unsure)
    cutout = cut_out(face, models.parser)
    scale = SIZE[0] / frame.PRINT[0]
    rgb = frame.warp(face.selfie.rgb, (face.transform * scale).astype(np.float32), *SIZE)
    head, neck, whole = (
        cv2.resize(np.minimum(matte + back, 1), SIZE, interpolation=cv2.INTER_AREA)
        for matte, back in (
            (cutout.head, cutout.back_hair * cutout.matte),
            (cutout.neck, 0),
            (cutout.matte, 0),
        )
    )
    garment = np.clip(whole - head - neck, 0, 1)
    return Case(rgb, to_bytes(head), to_bytes(neck), to_bytes(garment), face, face.landmarks[:, :2] * np.float32(scale))


def relit(case: Case, rng: Rng) -> Case:
    """Other light, slowly changing, and JPEG: no fault."""
    field = cv2.resize(rng.uniform(-0.2, 0.2, (3, 3)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    rgb = to_bytes(srgb(linear(case.rgb) * np.exp(field)[..., None]))
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    saved = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert saved is not None
    return replace(case, rgb=saved[..., ::-1].astype(np.uint8))


def head_cut(case: Case, rng: Rng) -> Case:
    """The photo ends below the crown, by a sixth to a half of what is above the eyes."""
    rows = np.flatnonzero((case.head > 127).any(axis=1))
    crown, eyes = float(rows[0]), float(frame.eye_centres(case.points)[:, 1].mean())
    line = crown + rng.uniform(0.17, 0.5) * (eyes - crown)
    scale = SIZE[0] / frame.PRINT[0]
    back = cv2.invertAffineTransform((case.source.transform * scale).astype(np.float32))
    gone = max(1, int(frame.carry(np.array([[SIZE[0] / 2, line]], np.float32), back)[0, 1]))
    selfie = case.source.selfie
    face = replace(selfie.face, landmarks=selfie.face.landmarks - np.array([0, gone, 0], np.float32))
    source = replace(case.source, selfie=replace(selfie, rgb=selfie.rgb[gone:], face=face))
    rows_of = frame.carry(np.array([[0, gone], [selfie.rgb.shape[1], gone]], np.float32),
                          (case.source.transform * scale).astype(np.float32))  # fmt: skip
    x, y = np.arange(SIZE[0]), np.arange(SIZE[1])[:, None]
    return replace(case.without(y < np.interp(x, rows_of[:, 0], rows_of[:, 1])[None]), source=source)


def crowded(case: Case, rng: Rng) -> Case:
    """All moved to a side, until 0 to 0.12 widths of the face are left there; the other side's last column goes on."""
    left, right = float(case.points[:, 0].min()), float(case.points[:, 0].max())
    kept = rng.uniform(0, 0.12) * (right - left)
    by = (kept - left) if rng.random() < 0.5 else (SIZE[0] - kept - right)
    move = np.array([[1, 0, by], [0, 1, 0]], np.float32)
    rgb, head, neck, garment = (
        cv2.warpAffine(part, move, SIZE, borderMode=cv2.BORDER_REPLICATE)
        for part in (case.rgb, case.head, case.neck, case.garment)
    )
    return replace(
        case, rgb=rgb, head=head, neck=neck, garment=garment, points=case.points + np.array([by, 0], np.float32)
    )


def hair_cut(case: Case, rng: Rng) -> Case:
    """A line takes 0.15 to 0.4 eye distances off the crown, leaning by up to 70 degrees."""
    angle = rng.uniform(-70, 70)
    outward = np.array([np.sin(np.radians(angle)), -np.cos(np.radians(angle))])
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    along = columns * outward[0] + rows * outward[1]
    above = (case.head > 127) & (rows < frame.eye_centres(case.points)[:, 1].mean() + 0.3 * EYE)
    return case.without((along > along[above].max() - rng.uniform(0.15, 0.4) * EYE) & (case.head > 0))


def hair_haze(case: Case, rng: Rng) -> Case:
    """Half of the backdrop kept beside the hair, 0.7 to 0.9 eye distances round a place of the head's upper outline."""
    above = (case.head > 127) & (np.arange(SIZE[1])[:, None] < frame.eye_centres(case.points)[:, 1].mean())
    edge = np.argwhere(above & (cv2.erode(case.head, np.ones((3, 3), np.uint8)) <= 127))
    y, x = edge[int(rng.integers(len(edge)))]
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    near = np.hypot(rows - y, columns - x) < rng.uniform(0.7, 0.9) * EYE
    return replace(case, head=np.where(near, np.maximum(case.head, 128), case.head).astype(np.uint8))


def gap(case: Case, rng: Rng) -> Case:
    """Backdrop between jaw and collar: a crescent 0.1 to 0.2 eye distances high, 0.7 to 1.2 wide."""
    chin = case.points[CHIN]
    axes = (rng.uniform(0.35, 0.6) * EYE, rng.uniform(0.1, 0.2) * EYE)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    lens = ((columns - chin[0]) / axes[0]) ** 2 + ((rows - chin[1] - axes[1] - 0.05 * EYE) / axes[1]) ** 2 < 1
    return case.without(lens)


def neck_seam(case: Case, rng: Rng) -> Case:
    """The neck's a* and b* shifted by 8, any way."""
    lab = cv2.cvtColor(case.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    turn = rng.uniform(0, 2 * np.pi)
    lab[..., 1:] += (case.neck[..., None] / np.float32(255)) * 8 * np.array([np.cos(turn), np.sin(turn)], np.float32)
    return replace(case, rgb=to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)))


def halo(case: Case, rng: Rng) -> Case:
    """A ring of four pixels round the head, a fifth to a third lighter or darker than the backdrop."""
    ring = cv2.dilate(case.head, np.ones((9, 9), np.uint8)) / np.float32(255) * (1 - case.head / np.float32(255))
    ring *= 1 - case.garment / np.float32(255)
    light = float(((case.rgb / 255) @ LUMINANCE)[case.head < 8].mean())
    step = rng.uniform(0.2, 0.33) * (1 if light < 0.5 else -1)
    return replace(case, rgb=to_bytes(case.rgb / np.float32(255) + np.float32(step) * ring[..., None]))


def cast(case: Case, rng: Rng) -> Case:
    """Coloured light on head and neck: leaves, a stage, a bulb, a screen."""
    lights = ((-0.6, -0.5), (-0.9, -0.7), (0.6, -1.1), (-0.7, 1.0), (0.5, 0.5))
    red, blue = lights[int(rng.integers(len(lights)))]
    light = linear(case.rgb)
    coloured = light * np.exp([red, 0, blue]).astype(np.float32)
    coloured *= ((light @ LUMINANCE) / np.maximum(coloured @ LUMINANCE, 1e-4))[..., None]
    figure = np.maximum(case.head, case.neck)[..., None] / np.float32(255)
    return replace(case, rgb=to_bytes(srgb(light + (coloured - light) * figure)))


def half_dark(case: Case, rng: Rng) -> Case:
    """One side of the face at a thirtieth to a twentieth of its light, going over within a third of an eye distance."""
    across = (np.arange(SIZE[0]) - case.points[CHIN, 0]) / (EYE / 6) * rng.choice([-1.0, 1.0])
    share = rng.uniform(1 / 30, 1 / 20)
    light = linear(case.rgb) * (share + (1 - share) / (1 + np.exp(-across)))[None, :, None].astype(np.float32)
    return replace(case, rgb=to_bytes(srgb(light)))


FAULTS: Final[dict[str, Callable[[Case, Rng], Case]]] = {
    "head_cut": head_cut,
    "crowded": crowded,
    "hair_cut": hair_cut,
    "hair_haze": hair_haze,
    "gap": gap,
    "neck_seam": neck_seam,
    "halo": halo,
    "half_dark": half_dark,
    "cast": cast,
}
"""How each fault is made, by the reason it is to be dropped for."""


def judged(case: Case, models: Models) -> dict[str, Any]:
    """Return the judge's measures of a case, and what its face does."""
    garment = np.dstack([case.rgb, case.garment])
    layers = Layers(
        sitter=case.rgb,
        head=case.head,
        neck=case.neck,
        garment=garment,
        normals=np.zeros((*SIZE[::-1], 3), np.int8),
        light=np.zeros(9, np.float32),
        marks=np.zeros((0, 3), np.float32),
        gain=1.0,
        grain=0.0,
        chin=float(case.points[CHIN, 1]),
    )
    portrait = Portrait("case", case.rgb, layers, Recipe("", "", "", 0, "", *SIZE))
    measures, does = realism.measure(portrait, case.source, models.landmarker)
    return {"measures": measures, "does": list(does)}


def measure(folder: Path, every: int, start: int, out: Path) -> None:
    models = Models("embedded")
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    found: dict[str, Any] = {}
    for photo in photos[start::every]:
        case = case_of(photo, models)
        if isinstance(case, str):
            continue
        rng = np.random.default_rng([int.from_bytes(photo.stem.encode()[-4:]), 1])
        made = {"real": case, "relit": relit(case, rng)}
        made |= {name: fault(made["relit"], rng) for name, fault in FAULTS.items()}
        found[photo.name] = {name: judged(each, models) for name, each in made.items()}
        out.write_text(json.dumps(found))


def reasons(told: dict[str, Any]) -> list[str]:
    return [*realism.reasons_of(told["measures"]), *told["does"]]


def wilson(hits: int, of: int) -> str:
    """Say a part in percent with its 95 % interval."""
    part, z = hits / of, 1.96
    middle = (part + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * np.sqrt(part * (1 - part) / of + z**2 / (4 * of**2))
    return f"{100 * part:.1f} ({100 * (middle - half):.1f} to {100 * (middle + half):.1f})"


def table(files: list[Path]) -> None:
    found: dict[str, Any] = {}
    for file in files:
        found |= json.loads(file.read_text())
    screen, n = Console(width=160), len(found)
    columns = ("real 50 / 95 / 99 %, most", "real dropped for it", "made fault 5 / 10 / 50 %", "caught, %")
    rows = Table("measure", "limit", *columns)
    dropped = {kind: sum(bool(reasons(each[kind])) for each in found.values()) for kind in ("real", "relit")}
    for limit in LIMITS:
        values = [each[kind]["measures"][limit.measure] for each in found.values() for kind in ("real", "relit")]
        spread = np.percentile(values, (50, 95, 99, 100))
        beyond = sum(limit.broken_by(value) for value in values)
        made = [each[limit.reason]["measures"][limit.measure] for each in found.values() if limit.reason in each]
        low = " / ".join(f"{v:.3g}" for v in np.percentile(made, (5, 10, 50))) if made else ""
        caught = sum(limit.reason in reasons(each[limit.reason]) for each in found.values() if limit.reason in each)
        rows.add_row(f"{limit.reason}: {limit.measure}", f"{limit.most:g}", " / ".join(f"{v:.3g}" for v in spread),
                     f"{beyond} of {len(values)}", low, wilson(caught, n) if made else "")  # fmt: skip
    screen.print(rows)
    for word in (GRIMACE, *EXPRESSIONS):
        screen.print(word, sum(word in each["real"]["does"] for each in found.values()), "of", n)
    for kind, number in dropped.items():
        screen.print(f"{kind}: {number} of {n} dropped for anything, {wilson(number, n)} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path, nargs="+")
    asked = parser.parse_args()
    if asked.table:
        table(asked.table)
    else:
        measure(asked.folder, asked.every, asked.start, asked.out)


if __name__ == "__main__":
    main()
