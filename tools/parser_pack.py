"""Pictures and soft labels -> the pack that the parser is trained from; three minutes for 2,093 on two quiet cores.

Labels are pictures of the same names as JPEG or PNG: red is hair, green skin, blue clothes, black backdrop. Who stands
before a plain backdrop, portraits all before a blue one, gets an exact alpha from it.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.cutout.nets import SIZE
from core.cutout.segmenter import Segmenter
from core.face.embedding import Recogniser
from core.face.landmarks import FaceMesh, Landmarker
from core.types import F32, U8
from tools.parser_labels import LARGE, Record, write

Job = tuple[Path, Path, bool, bool]
"""A picture, its label, whether it is one of the portraits, whether it is held out."""
SEGMENTED: Final = (512, 640)
"""Width and height at which the segmenter is asked: what `core.cutout.parser` asks it at."""
BLUE: Final = 0.12
"""How much more blue than red the backdrop's median must have behind a portrait."""
FAR: Final = 0.06
"""Least part of the frame that must be plain backdrop."""
PLAIN: Final = 0.6, 0.9
"""Least part of what is surely backdrop that a quadratic must explain: behind a portrait, and behind a face."""
NOISY: Final = 0.045
"""How far a plain backdrop behind a face may stray from its quadratic, of 1; looked at on 382 faces."""
CONTRAST: Final = 0.25
"""Distance of backdrop and figure (of the square root of three) below which a face's alpha is not read off there."""
DIM: Final = 0.2
"""Greatest part of a face's outline that may have less contrast than that; 257 faces are left, 186 have under half."""
HOLES: Final = 0.25
"""Greatest part of a band inside a face's coarse outline that may come out as backdrop: hair of the backdrop's colour.
Above it were 18 of 287 faces; a third of them were right and their label was not."""


def prepare(faces: tuple[Path, Path], portraits: tuple[Path, Path], pack: Path, every: int = 1) -> None:
    """Draw all pictures into the canonical frame and write the pack. Every tenth name of each folder is held out."""
    jobs = [*_jobs(*portraits, True), *_jobs(*faces, False)][::every]
    records, missed = [], []
    with multiprocessing.get_context("spawn").Pool(2, cv2.setNumThreads, (1,)) as pool:
        for done, (job, record) in enumerate(zip(jobs, pool.imap(draw, jobs, chunksize=4), strict=True), 1):
            if record is None:
                missed.append(job[0].name)
            else:
                records.append(record)
            if done % 100 == 0:
                print(f"{done} of {len(jobs)}", file=sys.stderr, flush=True)
    write(records, pack)
    exact = sum(record.alpha is not None for record in records)
    print(f"{len(records)} pictures, {exact} with an exact alpha; no face in {len(missed)}: {' '.join(missed)}")


def draw(job: Job) -> Record | None:
    """Draw one picture and its label into the frame, or return None where no face is found."""
    picture, label, portrait, held = job
    rgb, soft = (cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in (picture, label))
    points = face_points(rgb)
    if points is None:
        return None
    eyes = frame.eye_centres(points)
    drawn, reached = frame.framed(rgb, frame.to_frame(eyes, *LARGE), *LARGE)
    transform = frame.to_frame(eyes, *SIZE)
    soft = cv2.warpAffine(soft, transform, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    person = _nets()[2].person(frame.warp(rgb, frame.to_frame(eyes, *SEGMENTED), *SEGMENTED))
    person = cv2.resize(person, SIZE, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(np.maximum(person, soft.max(axis=-1) / np.float32(255)), LARGE).clip(0, 1).astype(np.float32)
    read = backdrop_alpha(drawn, coarse) if portrait else plain_alpha(drawn, coarse, reached > 0.9)
    if not portrait and read is None:
        drawn = frame.warp(rgb, transform, *SIZE)
    half = cv2.resize(person, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
    return Record(
        name=picture.name,
        portrait=portrait,
        held=held,
        size=(rgb.shape[0], rgb.shape[1]),
        transform=transform,
        points=frame.carry(points, transform)[:, :2],
        rgb=_webp(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), 90),
        label=_webp(np.concatenate([soft[..., c] for c in range(3)], axis=1), 85),
        person=_webp(_bytes(half), 85),
        alpha=None if read is None else _webp(_bytes(read[0]), 92),
        clear=None if read is None else _webp(_bytes(read[1]), 50),
    )


def face_points(rgb: U8) -> F32 | None:
    """Return the largest face's mesh (478, 3) in the picture's pixels, or None where no face is found."""
    mesh = face_mesh(rgb)
    return None if mesh is None else mesh.landmarks


def face_mesh(rgb: U8) -> FaceMesh | None:
    """Read the largest face of a picture (H, W, 3), in its pixels; it is cut out first where it is small."""
    landmarker, recogniser, _ = _nets()
    for found in recogniser.find(rgb)[:1]:
        x, y, width, height = found.box
        reach = 1.1 * max(width, height)
        left, top = int(x + width / 2 - reach), int(y + height / 2 - reach)
        side = int(2 * reach)
        before, above = max(0, -left), max(0, -top)
        after, below = max(0, left + side - rgb.shape[1]), max(0, top + side - rgb.shape[0])
        padded = cv2.copyMakeBorder(rgb, above, below, before, after, cv2.BORDER_REPLICATE)
        mesh = landmarker.detect(padded[top + above :, left + before :][:side, :side])
        if mesh is not None:
            return replace(mesh, landmarks=(mesh.landmarks + np.array([left, top, 0], np.float32)).astype(np.float32))
    return landmarker.detect(rgb)


def backdrop_alpha(rgb: U8, person: F32) -> tuple[F32, F32] | None:
    """Read the exact alpha off a portrait's blue backdrop: both (H, W) float32, or None where it is not plain.

    rgb: (H, W, 3). person: (H, W) a coarse alpha. Low down, where cloth may be as blue, a guided filter's edge is
    taken. The second is one everywhere: all of it counts.
    """
    height = len(rgb)
    fitted = _backdrop(rgb.astype(np.float32) / 255, person, PLAIN[0])
    if fitted is None or np.median(fitted[0][..., 2] - fitted[0][..., 0]) < BLUE:
        return None
    alpha, contrast = _keyed(rgb, person, *fitted)
    guided = cv2.ximgproc.guidedFilter(rgb.astype(np.float32) / 255, person, 3, 1e-4).clip(0, 1)
    low = (np.arange(height) >= int(0.62 * height))[:, None] * (1 - np.clip((contrast - 0.2) / 0.2, 0, 1))
    found = _of_sitter(alpha * (1 - low) + guided * low)
    return None if found is None else (found, np.ones_like(found))


def plain_alpha(rgb: U8, person: F32, reached: NDArray[np.bool_]) -> tuple[F32, F32] | None:
    """Read the alpha off a face's plain backdrop of any colour, and where it is to be trusted: (H, W) float32 each.

    reached: (H, W) where the photo is. Not trusted is an outline that hardly stands out from the backdrop, and what
    lies beyond the photo. None where the backdrop is not plain, or where too much of the outline does not stand out.
    """
    picture = rgb.astype(np.float32) / 255
    fitted = _backdrop(picture, np.where(reached, person, 1).astype(np.float32), PLAIN[1])
    if fitted is None or fitted[1] > NOISY:
        return None
    alpha, contrast = _keyed(rgb, person, *fitted)
    whole, disc = (person > 0.5).astype(np.uint8), np.ones((9, 9), np.uint8)
    ring = (cv2.dilate(whole, disc) > cv2.erode(whole, disc)) & reached
    dim = ring & (contrast < CONTRAST)
    upper = slice(0, int(0.75 * len(rgb)))
    if dim[upper].sum() > DIM * ring[upper].sum():
        return None
    found = _of_sitter(alpha)
    clear = cv2.dilate((dim | ~reached).astype(np.uint8), disc) == 0
    inside = (cv2.erode(whole, np.ones((7, 7), np.uint8)) > cv2.erode(whole, np.ones((21, 21), np.uint8))) & clear
    if found is None or (found < 0.5)[upper][inside[upper]].sum() > HOLES * inside[upper].sum():
        return None
    return found, clear.astype(np.float32)


def _keyed(rgb: U8, person: F32, back: F32, noise: float) -> tuple[F32, F32]:
    """Return alpha before a known backdrop, and how far the figure stands out from it: (H, W) float32 each.

    Alpha is where a colour lies on the line from the backdrop to the nearest sure foreground (Smith and Blinn, Blue
    screen matting, 1996).
    """
    picture = rgb.astype(np.float32) / 255
    off = np.abs(picture - back).max(axis=-1)
    sure = cv2.erode((person > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=6) > 0
    towards = _normalized_convolution(picture, (sure & (off > 0.12)).astype(np.float32)) - back
    contrast = np.linalg.norm(towards, axis=-1)
    alpha = ((picture - back) * towards).sum(axis=-1) / np.maximum(contrast**2, 1e-4)
    alpha = np.clip((np.clip(alpha, 0, 1) - 2 * noise) / (1 - 4 * noise), 0, 1)
    clear = np.clip((contrast - 0.12) / 0.15, 0, 1)
    alpha = np.maximum(alpha * clear, np.clip((off - 2 * noise) / 0.22, 0, 1) * (1 - clear))
    alpha[cv2.erode((person > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=5) > 0] = 1
    near = cv2.dilate((person > 0.2).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (61, 61)))
    return (alpha * near).astype(np.float32), contrast.astype(np.float32)


def _of_sitter(alpha: F32) -> F32 | None:
    """Keep what hangs together with the face, or None where there is nothing: (H, W) float32."""
    height, width = alpha.shape
    alpha = np.where(alpha > 0.96, 1, np.where(alpha < 0.04, 0, alpha))
    _, blobs = cv2.connectedComponents((alpha > 0.3).astype(np.uint8))
    own = blobs[int(0.42 * height), width // 2]
    if own == 0:
        return None
    return (alpha * cv2.dilate((blobs == own).astype(np.uint8), np.ones((7, 7), np.uint8))).astype(np.float32)


def _backdrop(picture: F32, person: F32, least: float) -> tuple[F32, float] | None:
    """Fit a quadratic of place to the backdrop (H, W, 3), and say by how much it varies; None where it is not plain."""
    height, width = person.shape
    far = cv2.erode((person < 0.05).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    far[int(0.75 * height) :] = False
    if far.mean() < FAR:
        return None
    middle = np.median(picture[far], axis=0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y / height - 0.5, x / width - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    plain: NDArray[np.bool_] = far & (np.abs(picture - middle).max(axis=-1) < 0.15)
    for _ in range(3):
        if plain.sum() < 500:
            return None
        back = terms @ np.linalg.lstsq(terms[plain], picture[plain], rcond=None)[0]
        off = np.abs(picture - back).max(axis=-1)
        plain = far & (off < 0.06)
    if plain.sum() < least * far.sum():
        return None
    return back.astype(np.float32), max(0.012, float(np.percentile(off[plain], 90)))


def _normalized_convolution(picture: F32, known: F32) -> F32:
    """Carry the known colours outwards: from 5 px around, and faintly from 25 px where none is so near."""
    near, wide = (cv2.GaussianBlur(picture * known[..., None], (0, 0), s) for s in (5, 25))
    of_near, of_wide = (cv2.GaussianBlur(known, (0, 0), s) for s in (5, 25))
    return (near + 1e-3 * wide) / (of_near + 1e-3 * of_wide + 1e-9)[..., None]


def _jobs(pictures: Path, labels: Path, portrait: bool) -> Iterator[Job]:
    for place, picture in enumerate(sorted(p for p in pictures.iterdir() if p.suffix in {".jpg", ".png"})):
        yield picture, labels / picture.name, portrait, place % 10 == 0


@cache
def _nets() -> tuple[Landmarker, Recogniser, Segmenter]:
    return Landmarker(), Recogniser(), Segmenter()


def _bytes(soft: F32) -> U8:
    return np.round(soft * 255).astype(np.uint8)


def _webp(picture: U8, quality: int) -> U8:
    return np.asarray(cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1], np.uint8).ravel()
