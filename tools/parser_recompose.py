"""Examples -> batches: people put together anew on the device they are trained on, their labels staying exact.

A head over another's clothes or in a collar that nobody wore, over another backdrop, in other colours and light; then
moved, cut and photographed.
Everything is (B, C, H, W) float32 in 0..1 at (320, 256) unless told otherwise. Strengths were set by looking at sheets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.cutout.nets import SIZE
from tools.parser_clutter import clutter
from tools.parser_collars import collar, plain_cloth
from tools.parser_pictures import BACKDROP, CLOTHES, HAIR, HAT, SKIN, Batch, Pictures
from tools.parser_pixels import (
    behind,
    blur,
    composite,
    moved_by,
    photographed,
    recoloured,
    resized,
    smooth_noise,
    unit,
)

WIDTH, HEIGHT = SIZE
REFINED: Final = (640, 512)
"""Height and width at which the refiner works."""
HATTED: Final = 0.16
"""How many get another's hat."""
CLUTTERED: Final = 0.3
"""How many stand before cords, poles, stars or leaves."""
MATCHED: Final = 0.2
"""How many stand before a backdrop whose colour is brought towards their hair's, by any part of the way."""


@dataclass(frozen=True, slots=True, eq=False)
class LargeBatch:
    """People at REFINED with their exact alpha, before the refiner: small is what the parser is given of them.

    valid: where the photo reaches and the alpha is to be trusted.
    """

    rgb: Tensor
    alpha: Tensor
    valid: Tensor
    person: Tensor
    small: Batch


Segmenter: TypeAlias = Callable[[Tensor], Tensor]
"""Says who is a person: (B, 3, 320, 256) colours -> (B, 1, 320, 256), both 0..1."""


def mediapipe_segmenter() -> Segmenter:
    """Return mediapipe's segmenter, asked at the size and brought to the size as in `core.cutout.parser`."""
    from core.cutout.parts import PARTS_SIZE
    from core.cutout.segmenter import Segmenter as Mediapipe  # a machine that trains from nothing has not got it

    person = Mediapipe().person

    def asked(rgb: Tensor) -> Tensor:
        pictures = (resized(rgb, PARTS_SIZE[::-1]) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        found = torch.from_numpy(np.stack([person(picture) for picture in pictures]))[:, None]
        half = functional.interpolate(found, size=(rgb.shape[2] // 2, rgb.shape[3] // 2), mode="area")
        return resized(half, (rgb.shape[2], rgb.shape[3])).to(rgb.device)

    return asked


class Recomposer:
    """Draws batches from Pictures; by torch's own random numbers, so seed those.

    segmenter: asked about the new pictures; without it they get the answer for the photo as it was taken, spoilt.
    """

    def __init__(self, pictures: Pictures, segmenter: Segmenter | None = None) -> None:
        self.pictures = pictures
        self.segmenter = segmenter

    def batch(self, count: int, ids: Tensor | None = None) -> Batch:
        """Put `count` people together anew: drawn by weight from the trained ones, or those of `ids`."""
        p = self.pictures
        if ids is None:
            ids = p.trained[torch.multinomial(p.weight, count, replacement=True)]
        own = p.of(ids)
        front, parts, cloth, dressed = self._dressed(own, unit(p.foreground[ids]))
        front, parts, collared = self._collared(own, front, parts, p.points[ids])
        front, parts, hat = self._hatted(own, front, parts)
        cloth = torch.maximum(cloth, hat * self._coin(count, 0.6))
        for part, chance in ((CLOTHES, 0.5), (HAIR, 0.3), (HAT, 0.3)):
            share = parts[:, part] / (1 - parts[:, BACKDROP] + 1e-3)
            front = torch.where(self._coin(count, chance) > 0, recoloured(front, share), front)
        front = front * torch.exp(0.3 * self._field(count, 1, 100) * self._coin(count, 0.3))
        back, other, kept = self._backdrops(count, unit(p.backdrop[ids]))
        back, matched = self._matched(back, front, parts)
        back, things = self._cluttered(back, parts)
        rgb = composite(1 - parts[:, BACKDROP], front.clamp(0, 1), back)
        added = torch.maximum(torch.maximum(hat, things).amax((1, 2, 3), keepdim=True), matched) > 0
        rgb = composite(kept * self._coin(count, 0.6) * (1 - dressed) * (1 - collared) * ~added, own.rgb, rgb)
        person = self._segmenter_errors(own.person, parts, torch.maximum(other, things), cloth)
        move = self._moves(count, 10, 0.13, 0.06)
        moved = moved_by(torch.cat([rgb, parts, person, own.oval], 1), move)
        valid = self._cut((moved_by(own.valid, move, "zeros") > 0.95).float())
        rgb, parts, person, oval = torch.split(moved, [3, 5, 1, 1], 1)
        parts = parts / (parts.sum(1, keepdim=True) + 1e-6)
        rgb = photographed(rgb)
        return Batch(rgb, parts, valid, self._segmented(rgb, person.clamp(0, 1)), oval, own.exact)

    def large_batch(self, count: int, ids: Tensor | None = None) -> LargeBatch:
        """Put people with an exact alpha on other backdrops at 384x480, and enlarge them to REFINED."""
        p = self.pictures
        if ids is None:
            ids = p.large_trained[torch.multinomial(p.large_weight, count, replacement=True)]
        front, alpha, clear = p.large_of(ids)
        size = (front.shape[-2], front.shape[-1])
        own = p.of(ids)
        hair = (resized(own.parts[:, HAIR], size) / (alpha + 1e-3)).clamp(0, 1)
        front = torch.where(self._coin(count, 0.4) > 0, recoloured(front, hair), front)
        back, other, _ = self._backdrops(count, unit(p.backdrop[ids]))
        back, _ = self._matched(back, resized(front, (HEIGHT, WIDTH)), own.parts)
        back, things = self._cluttered(back, own.parts)
        spoilt = self._segmenter_errors(own.person, own.parts, torch.maximum(other, things), torch.zeros_like(other))
        move = self._moves(count, 8, 0.1, 0.05)
        moved = moved_by(torch.cat([composite(alpha, front, resized(back, size).clamp(0, 1)), alpha], 1), move)
        rgb, alpha = photographed(moved[:, :3]), moved[:, 3:]
        given = moved_by(torch.cat([own.parts, spoilt, own.oval], 1), move)
        valid = (moved_by(own.valid, move, "zeros") > 0.95).float()
        trusted = (moved_by(clear, move, "zeros") > 0.95).float()
        small = functional.interpolate(rgb, size=(HEIGHT, WIDTH), mode="area")
        person = self._segmented(small, given[:, 5:6])
        batch = Batch(small, given[:, :5], valid, person, given[:, 6:], own.exact)
        rgb, alpha, person, valid, trusted = (resized(x, REFINED) for x in (rgb, alpha, person, valid, trusted))
        return LargeBatch(rgb, alpha, ((valid > 0.95) & (trusted > 0.95)).float(), person, batch)

    def _dressed(self, own: Batch, front: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Lay another's clothes over three people in ten: colours, parts, the clothes' alpha, who was dressed."""
        p, count = self.pictures, len(front)
        other = self._anybody(count)
        move = self._moves(count, 6, 0.12, 0.05)
        cloth = moved_by(unit(p.parts[other][:, CLOTHES]) * unit(p.valid[other]), move, "zeros")
        colours = moved_by(unit(p.foreground[other]), move)
        rows = torch.linspace(0, 1, HEIGHT, device=p.device).view(1, 1, HEIGHT, 1)
        over = (own.parts[:, HAIR] + own.parts[:, HAT] + own.oval).clamp(0, 1)
        dressed = self._coin(count, 0.3)
        cloth = cloth * (rows > 0.55) * dressed * (1 - over) * own.valid
        parts = own.parts * (1 - cloth)
        parts[:, CLOTHES] += cloth
        return composite(cloth, colours, front), parts, cloth, dressed

    def _collared(self, own: Batch, front: Tensor, parts: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Put a third of all into a collar: of another's cloth, or of one colour; colours, parts, who wears one."""
        p, count = self.pictures, len(front)
        worn = self._coin(count, 0.35)
        drawn = collar(points, self._field(count, 1, 20))
        other = self._anybody(count)
        theirs = unit(p.parts[other][:, CLOTHES]) * unit(p.valid[other])
        cloth = moved_by(
            behind(unit(p.foreground[other]), 1 - theirs, torch.ones_like(theirs)),
            self._moves(count, 20, 0.4, 0.3),
            "reflection",
        )
        cloth = torch.where(self._coin(count, 0.5) > 0, recoloured(cloth, torch.ones_like(theirs)), cloth)
        face = own.oval * own.valid
        skin = (own.rgb * face).sum((2, 3), keepdim=True) / (face.sum((2, 3), keepdim=True) + 1)
        cloth = torch.where(self._coin(count, 0.5) > 0, plain_cloth(skin, self._field(count, 1, 24)), cloth)
        light = blur(front.mean(1, keepdim=True), 8.0)
        light = (light / (light.mean((2, 3), keepdim=True) + 1e-3)).clamp(0.4, 1.8)
        cloth = cloth * composite(0.7 * self._uniform(count), light, torch.ones_like(light))
        seen = worn * (1 - (parts[:, HAIR] + parts[:, HAT] + own.oval).clamp(0, 1))
        cover = drawn.cover * seen * (1 - parts[:, BACKDROP]) * own.valid
        front = composite(cover, cloth.clamp(0, 1), front * composite(seen, drawn.shade, torch.ones_like(seen)))
        hidden = parts[:, SKIN] * cover
        parts = torch.cat([parts[:, :2], parts[:, SKIN] - hidden, parts[:, CLOTHES] + hidden, parts[:, HAT]], 1)
        return front, parts, worn

    def _hatted(self, own: Batch, front: Tensor, parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Put a hat that a hand outlined on another for a sixth of all: colours, parts, the hat's alpha.

        Eyes lie on eyes, so that it sits as it sat on its owner. Hair above it stays; its label stays right.
        """
        p, count = self.pictures, len(front)
        if not len(p.hats):
            return front, parts, torch.zeros_like(own.valid)
        other = p.hats[torch.randint(len(p.hats), (count,), device=p.device)]
        theirs = torch.cat([unit(p.foreground[other]), unit(p.parts[other][:, HAT]) * unit(p.valid[other])], 1)
        theirs = moved_by(theirs, self._moves(count, 5, 0.1, 0.04), "zeros")
        hat = theirs[:, 3:] * self._coin(count, HATTED) * own.valid
        parts = parts * (1 - hat)
        return composite(hat, theirs[:, :3], front), torch.cat([parts[:, :4], parts[:, HAT] + hat], 1), hat

    def _matched(self, back: Tensor, front: Tensor, parts: Tensor) -> tuple[Tensor, Tensor]:
        """Bring backdrops towards the colour of hair and hat, where texture and shape tell them apart.

        Returns them, and (B, 1, 1, 1) of 1 whose was brought and 0.
        """
        head = parts[:, HAIR] + parts[:, HAT]
        whose = self._coin(len(back), MATCHED) * (head.mean((1, 2, 3), keepdim=True) > 0.01)
        colour = (front * head).sum((2, 3), keepdim=True) / (head.sum((2, 3), keepdim=True) + 1)
        ratio = (colour + 0.03) / (back.mean((2, 3), keepdim=True) + 0.03)
        return (back * ratio ** (whose * self._uniform(len(back)))).clamp(0, 1), whose

    def _cluttered(self, back: Tensor, parts: Tensor) -> tuple[Tensor, Tensor]:
        """Put things right behind the heads of some: the backdrops, and the things' alpha."""
        count = len(back)
        drawn = clutter(parts[:, HAIR] + parts[:, HAT])
        alpha = drawn.alpha * self._coin(count, CLUTTERED)
        soft = self._coin(count, 0.3)
        back = composite(alpha, drawn.colours, back)
        return composite(soft, blur(back, 2.0), back), alpha

    def _backdrops(self, count: int, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return backdrops, the people in them, and which are the pictures' own.

        A quarter each: the own one, another's; a fifth: a whole other person at the side; else plain and patterned.
        """
        p = self.pictures
        other = moved_by(unit(p.backdrop[self._anybody(count)]), self._moves(count, 180, 0.6, 0.5), "reflection")
        who = self._anybody(count)
        aside = self._moves(count, 10, 0.35, 0.0)
        side = torch.where(self._uniform(count)[:, 0, 0, 0] < 0.5, -1.0, 1.0)
        aside[:, 0, 2] = side * (0.75 + 0.7 * self._uniform(count)[:, 0, 0, 0])
        aside[:, 1, 2] = (self._uniform(count)[:, 0, 0, 0] * 2 - 1) * 0.35
        neighbour = moved_by(unit(p.rgb[who]), aside, "reflection")
        figure = moved_by(1 - unit(p.parts[who][:, BACKDROP]), aside, "zeros")
        kind = self._uniform(count)
        plain = self._plain(count)
        back = torch.where(kind < 0.5, other, torch.where(kind < 0.7, neighbour, plain))
        back = torch.where(kind < 0.25, own, back)
        soft = self._coin(count, 0.35)
        people = figure * ((kind >= 0.5) & (kind < 0.7))
        return composite(soft, blur(back, 4.0), back).clamp(0, 1), people, (kind < 0.25).float()

    def _plain(self, count: int) -> Tensor:
        one, two = self._uniform(count, 3), self._uniform(count, 3)
        back = composite(torch.sigmoid(2 * self._field(count, 1, 160)), one, two)
        back = composite(0.6 * self._uniform(count), back.mean(1, keepdim=True), back)
        back = torch.where(self._coin(count, 0.4) > 0, one.expand_as(back), back)
        grain = 0.1 * self._coin(count, 0.3) * self._field(count, 1, 4)
        return back + 0.15 * self._uniform(count) * self._field(count, 3, 16) + grain

    def _segmenter_errors(self, person: Tensor, parts: Tensor, other: Tensor, cloth: Tensor) -> Tensor:
        """Spoil the segmenter's answer as it errs: holes in hair and hats, neighbours, blobs, softness, nobody."""
        count = len(person)
        hole = torch.sigmoid(12 * (self._field(count, 1, 40) - 0.6)) * (parts[:, HAIR] + parts[:, HAT])
        person = person * (1 - hole * self._coin(count, 0.5) * self._uniform(count))
        person = torch.maximum(person, other * self._uniform(count) * self._coin(count, 0.5))
        blob = 0.8 * torch.sigmoid(10 * (self._field(count, 1, 48) - 1.3)) * self._coin(count, 0.2)
        person = torch.maximum(torch.maximum(person, blob), cloth)
        person = composite(self._coin(count, 0.4), blur(person, 3.0), person)
        return person * self._coin(count, 0.95)

    def _segmented(self, rgb: Tensor, spoilt: Tensor) -> Tensor:
        return spoilt if self.segmenter is None else self.segmenter(rgb)

    def _cut(self, valid: Tensor) -> Tensor:
        """End the photo inside the frame for a third of all."""
        count = len(valid)
        columns = torch.linspace(0, 1, WIDTH, device=valid.device).view(1, 1, 1, WIDTH)
        rows = torch.linspace(0, 1, HEIGHT, device=valid.device).view(1, 1, HEIGHT, 1)
        left, right, top, bottom = (
            depth * self._uniform(count) * self._coin(count, 0.5) for depth in (0.22, 0.22, 0.16, 0.45)
        )
        inside = (columns >= left) & (columns <= 1 - right) & (rows >= top) & (rows <= 1 - bottom)
        return torch.where(self._coin(count, 0.35) > 0, valid * inside, valid)

    def _anybody(self, count: int) -> Tensor:
        p = self.pictures
        return p.trained[torch.randint(len(p.trained), (count,), device=p.device)]

    def _uniform(self, count: int, channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, device=self.pictures.device)

    def _coin(self, count: int, chance: float) -> Tensor:
        return (self._uniform(count) < chance).float()

    def _field(self, count: int, channels: int, cell: int) -> Tensor:
        return smooth_noise(count, channels, cell, (HEIGHT, WIDTH), self.pictures.device)

    def _moves(self, count: int, degrees: float, log_scale: float, shift: float) -> Tensor:
        """Return (B, 2, 3) similarities, half of them mirrored, for `moved_by`."""
        draw = torch.rand(5, count, device=self.pictures.device)
        angle, scale = (draw[0] * 2 - 1) * math.radians(degrees), torch.exp((draw[1] * 2 - 1) * log_scale)
        mirror, aspect = torch.where(draw[2] < 0.5, -1.0, 1.0), WIDTH / HEIGHT
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        across = torch.stack([cos * mirror, -sin / aspect, (draw[3] * 2 - 1) * shift], 1)
        down = torch.stack([sin * aspect, cos, (draw[4] * 2 - 1) * shift], 1)
        return torch.stack([across, down], 1)
