"""Records -> Pictures: all people on the device they are trained on, with their own colours and their backdrops'."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from tools.parser_labels import Record, corrected, fixes, fixes_held, headed, heads, necks, outlined, unpack, within
from tools.parser_pixels import as_bytes, behind, foreground, resized, unit

BACKDROP, HAIR, SKIN, CLOTHES, HAT = (slice(i, i + 1) for i in range(5))
"""Channels of the parts, in the order of `core.cutout.nets.CLASSES`."""
WEIGHT_EXACT, WEIGHT_HAT, WEIGHT_BY_HAND = 1.6, 2.0, 4.0
"""How much more often one with an exact alpha, a person in a hat and one outlined by hand are drawn."""
WEIGHT_FACE: Final = 2.0
"""How much more often a face than a portrait is drawn for the refiner: portraits have little long hair."""
TEACHER: Final = 0.5
"""How far a face's label for skin and clothes goes to meet what the published net says: half way is no label at all
where they disagree."""
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


class Pictures:
    """All examples on one device, bytes until they are drawn; with each figure's and each backdrop's own colours."""

    def __init__(self, records: list[Record], device: str, teacher: nn.Module | None = None) -> None:
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
        self.points = torch.from_numpy(np.stack([e.points for e in examples])).to(device)
        self.exact = torch.tensor([e.large_rgb is not None for e in examples], device=device)
        self.portrait = torch.tensor([r.portrait for r in records], device=device)
        stems = [Path(r.name).stem for r in records]
        self.necks, self.heads = (
            torch.tensor([stem in drawn for stem in stems], device=device) for drawn in (necks(), heads())
        )
        self.fixed = torch.tensor([bool(fixes().get(stem)) for stem in stems], device=device)
        if teacher is not None:
            self._meet(teacher, torch.nonzero(~self.portrait & ~self.necks)[:, 0])
            for i, stem in enumerate(stems):
                if stem in fixes():
                    self._correct(teacher, i, stem)
        held = torch.tensor([r.held for r in records], device=device)
        spared = torch.tensor([stem in fixes_held() for stem in stems], device=device)
        self.trained, self.held = torch.nonzero(~held & ~spared)[:, 0], torch.nonzero(held)[:, 0]
        hats = self.parts[:, 4].float().mean((1, 2)) > 255 * HAT_AREA
        weight = torch.where(self.exact, WEIGHT_EXACT, 1.0) * torch.where(hats, WEIGHT_HAT, 1.0)
        weight = torch.where(self.necks | self.heads | self.fixed, WEIGHT_BY_HAND, weight)
        self.weight = weight[self.trained]
        self.hats = torch.nonzero(self.heads & hats & ~held)[:, 0]
        self.large = torch.nonzero(self.exact)[:, 0]
        self.large_trained = torch.nonzero(self.exact & ~held & ~spared)[:, 0]
        self.large_held = torch.nonzero(self.exact & held)[:, 0]
        self.place = {int(picture): place for place, picture in enumerate(self.large)}
        self.large_rgb = [torch.from_numpy(e.large_rgb) for e in examples if e.large_rgb is not None]
        self.large_alpha = [torch.from_numpy(e.large_alpha)[None] for e in examples if e.large_alpha is not None]
        self.large_clear = [torch.from_numpy(e.large_clear)[None] for e in examples if e.large_clear is not None]
        self.large_foreground: dict[int, Tensor] = {}
        self.large_weight = torch.where(self.portrait[self.large_trained], 1.0, WEIGHT_FACE)
        self.backdrop = torch.empty_like(self.rgb)
        for ids in torch.split(torch.arange(len(records)), 64):
            rgb, parts, valid = (unit(x[ids]) for x in (self.rgb, self.parts, self.valid))
            self.backdrop[ids] = as_bytes(behind(rgb, 1 - parts[:, BACKDROP], valid))

    @cached_property
    def foreground(self) -> Tensor:
        """The figures' own colours (N, 3, 320, 256) uint8: minutes for two thousand, which a refiner does not need."""
        found = torch.empty_like(self.rgb)
        for ids in torch.split(torch.arange(len(self.rgb)), 64):
            rgb, parts, valid = (unit(x[ids]) for x in (self.rgb, self.parts, self.valid))
            found[ids] = as_bytes(foreground(rgb, 1 - parts[:, BACKDROP], valid))
        return found

    def of(self, ids: Tensor) -> Batch:
        """Return pictures as they were taken."""
        rgb, parts, valid, person, oval = (
            unit(x[ids]) for x in (self.rgb, self.parts, self.valid, self.person, self.oval)
        )
        return Batch(rgb, parts, valid, person, oval, self.exact[ids].float().view(-1, 1, 1, 1))

    def large_of(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return own colours (B, 3, 480, 384), exact alpha, and where it is to be trusted: (B, 1, 480, 384), 0..1."""
        places = [self.place[int(i)] for i in ids]
        alpha, clear = (
            unit(torch.stack([x[i] for i in places]).to(self.device)) for x in (self.large_alpha, self.large_clear)
        )
        for n, (picture, place) in enumerate(zip(ids, places, strict=True)):
            if place not in self.large_foreground:  # half a batch's time, so it is estimated once
                rgb, one = unit(self.large_rgb[place][None].to(self.device)), alpha[n : n + 1]
                seen = resized(unit(self.valid[picture][None]), (rgb.shape[-2], rgb.shape[-1]))
                self.large_foreground[place] = as_bytes(foreground(rgb, one, seen))[0]
        return unit(torch.stack([self.large_foreground[i] for i in places])), alpha, clear

    def _correct(self, teacher: nn.Module, picture: int, stem: str) -> None:
        """Give a picture the teacher's own answer with what hands outlined and set right; an exact edge stays."""
        inputs = self.of(torch.tensor([picture], device=self.device)).inputs()
        with torch.no_grad():
            said = teacher(inputs).float().softmax(1) + teacher(inputs.flip(-1)).float().softmax(1).flip(-1)
        parts = (said[0] / 2).cpu().numpy()
        if stem in heads():
            parts = headed(parts, self.points[picture].cpu().numpy(), heads()[stem])
        if stem in necks():
            parts = outlined(parts, self.points[picture].cpu().numpy(), necks()[stem])
        parts = corrected(parts, fixes()[stem])
        if self.exact[picture]:
            parts = within(parts, 1 - unit(self.parts[picture, 0]).cpu().numpy())
        self.parts[picture] = as_bytes(torch.from_numpy(parts)).to(self.device)

    def _meet(self, teacher: nn.Module, faces: Tensor) -> None:
        """Move the labels for skin and clothes of these faces towards what the teacher says where it sees either."""
        for ids in torch.split(faces, 16):
            with torch.no_grad():
                said = teacher(self.of(ids).inputs()).float().softmax(1)
            parts = unit(self.parts[ids])
            body, seen = parts[:, SKIN] + parts[:, CLOTHES], said[:, SKIN] + said[:, CLOTHES]
            share = parts[:, SKIN] / (body + 1e-3)
            share = share + TEACHER * seen * (said[:, SKIN] / (seen + 0.03) - share)
            parts[:, SKIN], parts[:, CLOTHES] = body * share, body * (1 - share)
            self.parts[ids] = as_bytes(parts)
