"""Examples -> batches: people put together anew on the device they are trained on, their labels staying exact.

A head over another's clothes, over another backdrop, in other colours and light; then moved, cut and photographed.
Everything is (B, C, H, W) float32 in 0..1 at (320, 256) unless told otherwise. Strengths were set by looking at sheets.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.cutout.nets import SIZE
from tools.parser_labels import Record, unpack

WIDTH, HEIGHT = SIZE
BACKDROP, HAIR, SKIN, CLOTHES, HAT = (slice(i, i + 1) for i in range(5))
LUMA: Final = (0.299, 0.587, 0.114)
REFINED: Final = (640, 512)
"""Height and width at which the refiner works."""
WEIGHT_EXACT, WEIGHT_HAT = 1.6, 2.0
"""How much more often a portrait with an exact alpha and a person in a hat are drawn."""
HAT_AREA: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the parser is given (rgb, valid, person, oval) and should answer (parts); exact: (B, 1, 1, 1) of 0 and 1."""

    rgb: Tensor
    parts: Tensor
    valid: Tensor
    person: Tensor
    oval: Tensor
    exact: Tensor

    def inputs(self) -> Tensor:
        """Return the parser's input (B, 6, 320, 256) in -1..1, as `core.cutout.nets.INPUTS` says."""
        inputs = [
            (self.rgb * 2 - 1) * self.valid,
            self.person * self.valid * 2 - 1,
            self.oval * 2 - 1,
            self.valid * 2 - 1,
        ]
        return torch.cat(inputs, 1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True, eq=False)
class LargeBatch:
    """Portraits at REFINED with their exact alpha, before the refiner: small is what the parser is given of them."""

    rgb: Tensor
    alpha: Tensor
    valid: Tensor
    person: Tensor
    small: Batch


class Pictures:
    """All examples on one device, bytes until they are drawn; with each figure's and each backdrop's own colours."""

    def __init__(self, records: list[Record], device: str) -> None:
        with ThreadPoolExecutor() as threads:
            examples = list(threads.map(unpack, records))

        def stacked(rows: list[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(rows)).to(device)

        self.device = device
        self.rgb = stacked([e.rgb for e in examples])
        self.parts = stacked([e.parts for e in examples])
        self.valid = stacked([e.valid[None] for e in examples])
        self.person = stacked([e.person[None] for e in examples])
        self.oval = stacked([e.oval[None] for e in examples])
        self.points = np.stack([e.points for e in examples])
        self.exact = torch.tensor([e.large_rgb is not None for e in examples], device=device)
        self.portrait = torch.tensor([r.portrait for r in records], device=device)
        held = torch.tensor([r.held for r in records], device=device)
        self.trained, self.held = torch.nonzero(~held)[:, 0], torch.nonzero(held)[:, 0]
        hats = self.parts[:, 4].float().mean((1, 2)) > 255 * HAT_AREA
        weight = torch.where(self.exact, WEIGHT_EXACT, 1.0) * torch.where(hats, WEIGHT_HAT, 1.0)
        self.weight = weight[self.trained]
        self.large = torch.nonzero(self.exact)[:, 0]
        self.large_trained = torch.nonzero(self.exact & ~held)[:, 0]
        self.large_held = torch.nonzero(self.exact & held)[:, 0]
        self.place = {int(picture): place for place, picture in enumerate(self.large)}
        self.large_rgb = [torch.from_numpy(e.large_rgb) for e in examples if e.large_rgb is not None]
        self.large_alpha = [torch.from_numpy(e.large_alpha)[None] for e in examples if e.large_alpha is not None]
        self.foreground, self.backdrop = torch.empty_like(self.rgb), torch.empty_like(self.rgb)
        for ids in torch.split(torch.arange(len(records)), 64):
            rgb, parts, valid = (unit(x[ids]) for x in (self.rgb, self.parts, self.valid))
            alpha = 1 - parts[:, BACKDROP]
            self.foreground[ids] = as_bytes(foreground(rgb, alpha, valid))
            self.backdrop[ids] = as_bytes(behind(rgb, alpha, valid))


def unit(x: Tensor) -> Tensor:
    """Bytes to 0..1."""
    return x.float() / 255


def as_bytes(x: Tensor) -> Tensor:
    """0..1 to bytes."""
    return (x.clamp(0, 1) * 255).round().byte()


def blur(x: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian cut at 2.5 sigma, the border repeated."""
    reach = max(1, int(2.5 * sigma))
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-at * at / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1).expand(x.shape[1], 1, 1, -1)
    x = functional.conv2d(functional.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel, groups=x.shape[1])
    x = functional.pad(x, (0, 0, reach, reach), mode="replicate")
    return functional.conv2d(x, kernel.transpose(2, 3), groups=x.shape[1])


def composite(alpha: Tensor, front: Tensor, back: Tensor) -> Tensor:
    """Lay the front over the back."""
    return alpha * front + (1 - alpha) * back


def foreground(rgb: Tensor, alpha: Tensor, valid: Tensor) -> Tensor:
    """Estimate the figure's own colours where it mixes with the backdrop: blur fusion, twice.

    Forte and Pitie, Approximate Fast Foreground Colour Estimation, ICIP 2021; their radii for this small size.
    """
    front, back = rgb, rgb
    for sigma in (12.0, 3.0):
        mean_front = blur(front * alpha * valid, sigma) / (blur(alpha * valid, sigma) + 1e-5)
        back = blur(back * (1 - alpha) * valid, sigma) / (blur((1 - alpha) * valid, sigma) + 1e-5)
        front = (mean_front + alpha * (rgb - alpha * mean_front - (1 - alpha) * back)).clamp(0, 1)
    return front


def behind(rgb: Tensor, alpha: Tensor, valid: Tensor, levels: int = 7) -> Tensor:
    """Carry the backdrop on behind the figure: pull-push through a pyramid (Gortler et al. 1996)."""
    weight = (1 - alpha) * valid
    weight = weight * (weight > 0.9)
    colour, pyramid = rgb * weight, []
    for _ in range(levels):
        pyramid.append((colour, weight))
        colour, weight = (functional.avg_pool2d(x, 2, ceil_mode=True) for x in (colour, weight))
    filled = colour / (weight + 1e-4)
    for colour, weight in reversed(pyramid):
        filled = functional.interpolate(filled, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        known = 2 * weight.clamp(max=0.5)
        filled = torch.where(weight > 0.02, composite(known, colour / (weight + 1e-6), filled), filled)
    return filled.clamp(0, 1)


class Recomposer:
    """Draws batches from Pictures; by torch's own random numbers, so seed those."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def as_it_is(self, ids: Tensor) -> Batch:
        """Return pictures as they were taken."""
        p = self.pictures
        rgb, parts, valid, person, oval = (unit(x[ids]) for x in (p.rgb, p.parts, p.valid, p.person, p.oval))
        return Batch(rgb, parts, valid, person, oval, p.exact[ids].float().view(-1, 1, 1, 1))

    def batch(self, count: int, ids: Tensor | None = None) -> Batch:
        """Put `count` people together anew: drawn by weight from the trained ones, or those of `ids`."""
        p = self.pictures
        if ids is None:
            ids = p.trained[torch.multinomial(p.weight, count, replacement=True)]
        own = self.as_it_is(ids)
        front, parts, cloth, dressed = self._dressed(own, unit(p.foreground[ids]))
        for part, chance in ((CLOTHES, 0.5), (HAIR, 0.3), (HAT, 0.3)):
            share = parts[:, part] / (1 - parts[:, BACKDROP] + 1e-3)
            front = torch.where(self._coin(count, chance) > 0, recoloured(front, share), front)
        front = front * torch.exp(0.3 * self._field(count, 1, 100) * self._coin(count, 0.3))
        back, other, kept = self._backdrops(count, unit(p.backdrop[ids]))
        rgb = composite(1 - parts[:, BACKDROP], front.clamp(0, 1), back)
        untouched = kept * self._coin(count, 0.6) * (1 - dressed)
        rgb = composite(untouched, own.rgb, rgb)
        person = self._segmenter_errors(own.person, parts, other, cloth)
        move = self._moves(count, 10, 0.13, 0.06)
        moved = moved_by(torch.cat([rgb, parts, person, own.oval], 1), move)
        valid = self._cut((moved_by(own.valid, move, "zeros") > 0.95).float())
        rgb, parts, person, oval = torch.split(moved, [3, 5, 1, 1], 1)
        parts = parts / (parts.sum(1, keepdim=True) + 1e-6)
        return Batch(photographed(rgb), parts, valid, person.clamp(0, 1), oval, own.exact)

    def large_batch(self, count: int, ids: Tensor | None = None) -> LargeBatch:
        """Put portraits with an exact alpha on other backdrops at 384x480, and enlarge them to REFINED."""
        p = self.pictures
        if ids is None:
            ids = p.large_trained[torch.randint(len(p.large_trained), (count,), device=p.device)]
        places = [p.place[int(i)] for i in ids]
        rgb, alpha = (unit(torch.stack([x[i] for i in places]).to(p.device)) for x in (p.large_rgb, p.large_alpha))
        size = (rgb.shape[-2], rgb.shape[-1])
        own = self.as_it_is(ids)
        front = foreground(rgb, alpha, resized(own.valid, size))
        hair = (resized(own.parts[:, HAIR], size) / (alpha + 1e-3)).clamp(0, 1)
        front = torch.where(self._coin(count, 0.4) > 0, recoloured(front, hair), front)
        back, _, _ = self._backdrops(count, unit(p.backdrop[ids]))
        move = self._moves(count, 8, 0.1, 0.05)
        moved = moved_by(torch.cat([composite(alpha, front, resized(back, size).clamp(0, 1)), alpha], 1), move)
        rgb, alpha = photographed(moved[:, :3]), moved[:, 3:]
        given = moved_by(torch.cat([own.parts, own.person, own.oval], 1), move)
        valid = (moved_by(own.valid, move, "zeros") > 0.95).float()
        small = functional.interpolate(rgb, size=(HEIGHT, WIDTH), mode="area")
        batch = Batch(small, given[:, :5], valid, given[:, 5:6], given[:, 6:], own.exact)
        rgb, alpha, person, valid = (resized(x, REFINED) for x in (rgb, alpha, batch.person, valid))
        return LargeBatch(rgb, alpha, (valid > 0.95).float(), person, batch)

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


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly to (height, width)."""
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def moved_by(x: Tensor, transform: Tensor, border: str = "border") -> Tensor:
    """Move pictures by (B, 2, 3) transforms in torch's own coordinates; border: border, zeros or reflection."""
    grid = functional.affine_grid(transform, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode=border, align_corners=False)


def smooth_noise(count: int, channels: int, cell: int, size: tuple[int, int], device: str | torch.device) -> Tensor:
    """Return normal noise that varies over about `cell` pixels."""
    cells = [max(2, length // cell) for length in size]
    noise = torch.randn(count, channels, *cells, device=device)
    return functional.interpolate(noise, size=size, mode="bicubic", align_corners=False)


def recoloured(rgb: Tensor, where: Tensor) -> Tensor:
    """Give one part another colour and keep its light: any hue at all, or a shift of its own."""
    count, device = len(rgb), rgb.device
    light = (rgb * torch.tensor(LUMA, device=device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    colour = torch.rand(count, 3, 1, 1, device=device) * 1.2 + 0.1
    gain, offset, pick = torch.rand(3, count, 1, 1, 1, device=device)
    new = light * torch.exp((gain * 2 - 1) * 0.9) * colour / colour.mean(1, keepdim=True) + (offset - 0.5) * 0.15
    shifted = torch.exp((torch.rand(count, 3, 1, 1, device=device) * 2 - 1) * 0.35) * rgb
    return composite(where, torch.where(pick < 0.5, new, shifted).clamp(0, 1), rgb)


def photographed(rgb: Tensor) -> Tensor:
    """Change light, contrast and saturation, blur, shrink and add grain, each for some pictures."""
    count, device, size = len(rgb), rgb.device, (rgb.shape[-2], rgb.shape[-1])

    def uniform(channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, device=device)

    def factor(strength: float, channels: int = 1) -> Tensor:
        return torch.exp((uniform(channels) * 2 - 1) * strength)

    rgb = rgb.clamp(1e-4, 1) ** factor(0.5)
    rgb = rgb * torch.exp(0.35 * uniform() * smooth_noise(count, 1, 120, size, device)) * factor(0.35)
    rgb = torch.where(uniform() < 0.6, rgb * factor(0.28, 3), rgb)
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * torch.where(uniform() < 0.08, 0.0, 0.5 + uniform())
    middle = rgb.mean((1, 2, 3), keepdim=True)
    rgb = middle + (rgb - middle) * (0.7 + 0.6 * uniform())
    for chance, sigma in ((0.25, 1.1), (0.12, 2.2)):
        rgb = torch.where(uniform() < chance, blur(rgb, sigma), rgb)
    halved = functional.interpolate(rgb, scale_factor=0.5, mode="area")
    rgb = torch.where(uniform() < 0.2, resized(halved, size), rgb)
    grain = (uniform() < 0.5) * uniform() * 0.07
    coarse = resized(torch.randn(count, 3, size[0] // 2, size[1] // 2, device=device), size)
    return (rgb + grain * (torch.randn_like(rgb) + 0.6 * coarse)).clamp(0, 1)
