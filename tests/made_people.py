"""Made-up people in flat colours with their exact labels, as a parser's pack holds them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from core.cutout.nets import SIZE
from core.face.mesh import BROWS, CHIN, FACE_OVAL, LIPS
from core.types import F32, U8
from tools import parser_labels
from tools.parser_labels import (
    Record,
)

FACE = (128, 150, 45, 62)
"""Middle and half axes of the made-up people's faces, in pixels of the parser's frame."""
SKIN_RGB, CLOTH_RGB, BACK_RGB = (200, 150, 120), (40, 60, 110), (90, 120, 200)


def mesh() -> F32:
    """A face's points that the rules look at, on an ellipse."""
    x, y, across, down = FACE
    points = np.tile(np.array([x, y], np.float32), (478, 1))
    angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL)] = np.stack([x + across * np.sin(angles), y - down * np.cos(angles)], axis=1)
    points[[*BROWS[0], *BROWS[1]], 1] = y - 0.45 * down
    points[list(LIPS), 1] = y + 0.5 * down
    points[parser_labels.NOSE, 1] = y + 0.2 * down
    points[CHIN] = x, y + down
    return points


def ellipse(middle: tuple[int, int], axes: tuple[int, int]) -> F32:
    drawn = np.zeros((320, 256), np.uint8)
    cv2.ellipse(drawn, middle, axes, 0, 0, 360, 1, -1)
    return drawn.astype(np.float32)


def drawn_person() -> tuple[U8, F32]:
    """A face under hair over a body, flat colours: (320, 256, 3), and their exact label, (3, 320, 256)."""
    x, y, across, down = FACE
    face = ellipse((x, y), (across, down))
    hair = np.maximum(ellipse((x, y - 20), (across + 14, down + 8)) - face, 0)
    hair[y + 20 :] = 0
    body = np.zeros_like(face)
    body[y + down - 8 :, 40:216] = 1
    body = np.maximum(body - face - hair, 0)
    rgb = np.full((320, 256, 3), BACK_RGB, np.uint8)
    for part, colour in ((body, CLOTH_RGB), (hair, (60, 40, 30)), (face, SKIN_RGB)):
        rgb[part > 0.5] = colour
    return rgb, np.stack([hair, face, body])


def record(name: str, portrait: bool, held: bool) -> Record:
    rgb, label = drawn_person()
    size = parser_labels.LARGE if portrait else SIZE
    alpha = cv2.resize(label.sum(axis=0), size)

    def webp(picture: U8 | F32) -> U8:
        return np.asarray(cv2.imencode(".webp", np.asarray(picture, np.uint8))[1], np.uint8).ravel()

    return Record(
        name=name,
        portrait=portrait,
        held=held,
        size=(320, 256),
        transform=np.eye(2, 3, dtype=np.float32),
        points=mesh(),
        rgb=webp(cv2.cvtColor(cv2.resize(rgb, size), cv2.COLOR_RGB2BGR)),
        label=webp(np.concatenate(list(label * 255), axis=1)),
        person=webp(cv2.resize(label.sum(axis=0) * 255, (128, 160))),
        alpha=webp(alpha * 255) if portrait else None,
        clear=webp(np.full_like(alpha, 255)) if portrait else None,
    )


def made_records() -> list[Record]:
    """Two portraits and two faces, one of each held out."""
    return [record(f"{place}.jpg", place < 2, place % 2 == 1) for place in range(4)]


class SaysCloth(nn.Module):
    """A parser that calls everything clothes."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (B, 5, 320, 256)."""
        logits = torch.full((len(inputs), 5, 320, 256), -9.0)
        logits[:, 3] = 9.0
        return logits
