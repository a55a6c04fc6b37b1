"""Setup -> Portrait by the CPU engine: draw the torso under the head, bring it to print size, compose."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE, linear, normalized_convolution, srgb, thrice, to_bytes
from core.engines.denoise import denoise
from core.engines.redress.drape import drape
from core.engines.redress.fitting import as_sharp, opening_of, trunk_normals, worn
from core.engines.redress.garment import KINDS, Cloth, cloths_of, lay_out
from core.engines.redress.hair import (
    behind_collar,
    beside_collar,
    in_shade,
    inside_collar,
    outside_throat,
    soft_under_hair,
)
from core.engines.redress.kept import kept, without_surroundings
from core.engines.redress.neck import (
    SLIT,
    TRAPEZIUS,
    near_neck,
    rounded,
    throat_of,
    up_to_collar,
    up_to_head,
    up_to_tips,
    widening,
    within_collar,
    without_ledges,
)
from core.engines.redress.nets import ENGINE, SIZE, TORSO_CHANNELS, Nets, pack_conditioning, predict_torso
from core.engines.redress.paint import Layout
from core.engines.redress.skin import drawn_skin, surely_own
from core.frame import INTEROCULAR_PX
from core.scene.compose import compose
from core.scene.neck_relief import relief_of
from core.scene.neck_tone import skin_of, tone_of, toned
from core.scene.stage import Dressing, Setup, Window, look_of
from core.scene.style import DRAWN_AS, OWN, DrawnKind, Part, rgb_of
from core.scene.wardrobe import PART_NAMES
from core.types import F32, U8, Layers, Portrait, Recipe

EDGE: Final = 0.7
"""Blur of cloth's outline in print pixels: one drawn to the pixel looks cut out beside what a lens drew; by eye."""
SHADE: Final = 0.11
"""How far the net's folds may lighten or darken cloth, as a part of its sRGB value; by eye on the demo sitters."""
HAIR_FADES: Final = 0.3
"""Eye distances below the torso's upper edge over which thin hair goes over to the skin drawn under it; by eye."""
BEYOND: Final = 0.05
"""Eye distances over which the sitter's own colours are averaged to be carried on beyond their edge."""
OPEN: Final = ("open", "collar")
"""Necklines of garments behind which hair goes, inside them."""
SETS_IN: Final = 0.25
"""Eye distances below the torso's upper edge over which a neck is toned as a whole: above all is as it was."""
PART_OF: Final[dict[str, Part]] = {
    "jacket": "jacket",
    "shirt": "shirt",
    "tie": "tie",
    "lapel": "jacket",
    "collar": "shirt",
    "knot": "tie",
}
"""Pieces of a drawn garment and the part that has their colour."""
ONE_PIECE: Final = ("blouse", "turtleneck", "crew_neck")
"""Garments whose collar is of the same cloth."""
SCALE: Final = SIZE[0] / frame.PRINT[0]
"""The net's pixels per print pixel: 1/8."""


def generate(
    setup: Setup, style: str, purpose: str, nets: Nets, name: str, should_stop: Callable[[], bool]
) -> Portrait:
    """Draw the garment, dress the sitter, compose: one finished portrait of a setup; deterministic per seed."""
    height, width = setup.layers.head.shape
    recipe = Recipe(
        style=style,
        purpose=purpose,
        source=setup.face.selfie.sha256,
        seed=setup.seed,
        engine=f"{ENGINE}-{nets.version}",
        width=width,
        height=height,
        settings=setup.settings,
    )
    if setup.outfit.kind == OWN:
        layers = without_surroundings(reframe(setup.layers, setup.window))
    else:
        layers = replace(wear(setup, nets, should_stop), undressed=kept(setup, round(frame.GARMENT_TOP * height)))
    return Portrait(name, compose(layers, look_of(recipe.settings, recipe.seed)), layers, recipe)


def wear(setup: Dressing, nets: Nets, should_stop: Callable[[], bool]) -> Layers:
    """Put a garment on a sitter: the layers as the print shows them, without the photo's surroundings.

    Above the torso's part the pixels round all of the sitter's own neck stay: another collar may show more of it.
    """
    worn = reframe(dress(setup, draw_torso(setup, nets, should_stop), nets), setup.window)
    neck = setup.layers.neck.copy()
    neck[round(frame.GARMENT_TOP * len(neck)) :] = 0
    return without_surroundings(worn, _framing(neck, setup.window)(neck))


def draw_torso(setup: Dressing, nets: Nets, should_stop: Callable[[], bool]) -> F32:
    """Draw neck, collar and clothes under the head: (72, 128, 5) float32 0..1, sRGB, person's matte, neck's matte.

    The layout gives outline and colours, the sitter's face the skin; everything else is the net's. In no steps it is
    their skin alone.
    """
    if not nets.steps:
        return np.tile(np.array([*setup.skin, 0, 1], np.float32), (*SIZE[::-1], 1))
    return draw_conditioned(conditioning(setup), KINDS.index(drawn_kind(setup)) + 1, setup.seed, nets, should_stop)


def draw_conditioned(packed: F32, kind: int, seed: int, nets: Nets, should_stop: Callable[[], bool]) -> F32:
    """Draw the torso (72, 128, 5) of a conditioning (10, 72, 128) and a garment kind; the same for the same seed."""
    given, kinds = torch.from_numpy(packed[None].copy()), torch.tensor([kind])
    noise = torch.randn((1, TORSO_CHANNELS, SIZE[1], SIZE[0]), generator=torch.Generator().manual_seed(seed))
    net, steps = nets.torso, nets.steps
    pred_x0 = denoise(lambda x, time: predict_torso(net, x, given, time, kinds), noise, steps, should_stop)[0]
    return np.clip((pred_x0.permute(1, 2, 0).numpy() + 1) / 2, 0, 1)


def conditioning(setup: Dressing) -> F32:
    """Return the torso net's conditioning for a setup: (10, 72, 128) in -1..1, as `nets.pack_conditioning` packs it."""
    layout = layout_of(setup, SIZE)
    cover = layout.rgba[..., 3]
    colours = _flat(setup, layout)
    head, neck, sitter = (_lower(layer, SIZE) for layer in (setup.layers.head, setup.layers.neck, setup.layers.sitter))
    throat = throat_of(setup.body, head, SCALE) * (1 - head) * (1 - cover)
    colours = colours * (1 - throat[..., None]) + np.array(setup.skin, np.float32) * throat[..., None]
    known = np.clip(head + cv2.erode(neck, np.ones((3, 3))) * (1 - cover), 0, 1)
    regions = np.dstack([colours, cover * (1 - head), throat])
    return pack_conditioning(regions.astype(np.float32), np.dstack([sitter, known]).astype(np.float32), layout.lines)


def drawn_kind(setup: Dressing) -> DrawnKind:
    """Return as what a setup's garment is drawn, and what the torso net is told. Raises KeyError for own clothes."""
    return DRAWN_AS[setup.outfit.kind]


def layout_of(setup: Dressing, size: tuple[int, int]) -> Layout:
    """Draw a setup's garment at a size (width, height) of the frame's lower part."""
    wanted = setup.outfit
    cloth = Cloth(drawn_kind(setup), rgb_of(wanted.jacket), rgb_of(wanted.shirt), rgb_of(wanted.tie))
    if setup.garment is not None:
        return worn(setup.garment, cloth, setup.body, setup.turn_deg, size, not wanted.as_photographed)
    return lay_out(cloth, setup.body, size, setup.seed)


def _flat(setup: Dressing, layout: Layout) -> F32:
    """Paint each cloth of a garment's layout (72, 128) in its colour, flat: (72, 128, 3) float32 sRGB 0..1."""
    wanted = setup.outfit
    colours = np.array([rgb_of(colour) for colour in (wanted.jacket, wanted.shirt, wanted.tie)], np.float32) / 255
    return colours[cloths_of(layout, drawn_kind(setup))]


def _lower(layer: U8, size: tuple[int, int]) -> F32:
    """Cut a print's layer to the torso's part of the frame and bring it to a size, 0..1."""
    part = layer[round(frame.GARMENT_TOP * layer.shape[0]) :].astype(np.float32) / 255
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def dress(setup: Dressing, torso: F32, nets: Nets) -> Layers:
    """Bring a drawn torso to print size and put it on: the neck below the head, the garment below the neck's end.

    Real-ESRGAN makes half the print of the net's picture. Its neck is used as it is, but for what the
    photo surely shows of the sitter's own; its clothes shade the layout's drawing, whose edges are
    sharper than any eighth of a print can be.
    """
    layers = setup.layers
    height, width = layers.head.shape
    top = round(frame.GARMENT_TOP * height)
    size, scale = (width, height - top), width / frame.PRINT[0]
    with ThreadPoolExecutor(1) as beside:  # cloth is drawn on one core, the sitter on the other
        drawing = beside.submit(layout_of, setup, size)
        head, own, hanging = (_lower(part, size) for part in (layers.head, layers.neck, setup.back_hair))
        near = near_neck(setup.body, layers.head, layers.neck)
        photo, sitter = layers.sitter[top:].astype(np.float32) / 255, layers.sitter.copy()
        layout = drawing.result()
        clothing = beside.submit(_cloth, setup, layout, torso, scale)
        strands = _lower(layers.regions[..., 0], size)
        if setup.garment is not None:
            hanging = outside_throat(hanging, strands, layout.rgba[..., 3], setup.body, scale)
            hair, backdrop = np.maximum(strands, hanging), _lower(setup.backdrop, size)
            gap = beside_collar(hair, head, layout.rgba[..., 3], backdrop, setup.body, scale)
            if gap.any():
                photo += (in_shade(photo, hair, scale) - photo) * thrice(gap)
            hanging = np.maximum(hanging, gap)
            back_hair = setup.back_hair.copy()
            back_hair[top:] = to_bytes(hanging)
            setup = replace(setup, back_hair=back_hair)
        hung, shown = np.minimum(head + hanging, 1), np.minimum(own + head + hanging, 1)
        beyond = normalized_convolution(photo, shown, BEYOND * INTEROCULAR_PX * scale)
        whole_neck = _neck(setup, own, near, head, hanging, layout.rgba[..., 3])
        neck = whole_neck[top:]
        rows = np.arange(size[1], dtype=np.float32)[:, None]
        strands = np.maximum(strands, hanging)
        last = float(np.flatnonzero((np.minimum(own + hung, neck) - hanging > 0.5).any(axis=1))[-1:].sum())
        ends = np.clip((last - rows) / (HAIR_FADES * INTEROCULAR_PX * scale), 0, 1)
        bearded = ends if setup.bearded else None  # a neck of another hue, taken for a beard, ended on a line
        if not setup.bearded and setup.garment is not None and setup.garment.facts.neckline in OPEN:
            ends = np.minimum(ends, behind_collar(strands, layout.rgba[..., 3], last, setup.body, scale))
        bare = neck * (1 - layout.rgba[..., 3])  # hair before cloth has its own colours
        if setup.garment is not None:  # inside a collar hair goes over to skin where the photo ends
            bare *= inside_collar(layout.rgba[..., 3], setup.body, scale)
        ends = 1 - np.clip(8 * strands, 0, 1) * bare * (1 - ends)
        sure = surely_own(shown, scale) * neck * ends
        # a hair's edge has its own colours too, over drawn skin as much as it covers
        own_hair = np.clip(8 * hung, 0, 1) * ends
        below = np.clip(rows / (HAIR_FADES * INTEROCULAR_PX * scale), 0, 1)  # above all is as it was
        own_hair -= (own_hair - hung * ends) * bare * (1 - own) * below
        keep = thrice(np.maximum(cv2.GaussianBlur(sure, (0, 0), 7 * scale), own_hair))
        photo += (beyond - photo) * thrice((1 - shown) * (1 - own_hair))  # what the photo has there is not theirs
        relief = relief_of(setup, top)
        drawn = drawn_skin(torso, nets, photo, sure * (1 - strands), tone_of(setup, top), setup.seed)
        drawn_there = cv2.resize(1 - keep[..., 0], relief.shape[::-1], interpolation=cv2.INTER_AREA)
        tone = tone_of(setup, top, relief**drawn_there)  # what is shown has a form of its own
        skin = skin_of(setup, whole_neck)[top:]
        if bearded is not None:
            skin = np.maximum(skin, neck * (1 - bearded))
        skin *= 1 - np.maximum(hung, strands) * ends
        skin *= np.clip(rows / (SETS_IN * INTEROCULAR_PX * scale), 0, 1)
        # once more and together: no line is left where the own neck ends in an old collar's shade
        sitter[top:] = to_bytes(toned(photo * keep + drawn * (1 - keep), skin, tone, bearded))
        cloth, cover, surface = clothing.result()
    garment = np.zeros((height, width, 4), np.uint8)
    garment[top:] = cloth
    normals = layers.normals.copy()
    dressed = (cover * (1 - head) > 0.02)[..., None]
    normals[top:] = np.where(dressed, np.round(surface * 127).astype(np.int8), normals[top:])
    whole_head = layers.head.astype(np.float32) / 255
    behind = setup.back_hair.astype(np.float32) / 255
    edge = (cover > 0) & (cover < 1)  # hair goes on under it: no backdrop shines through between hair and cloth
    whole_neck[top:] = np.maximum(neck, np.where(edge, hanging, 0))
    behind[top:] = hanging * (1 - cover)
    regions = layers.regions.copy()
    regions[..., 0] = np.maximum(regions[..., 0], to_bytes(behind))  # hair that was carried on below its end too
    whole_neck = soft_under_hair(whole_neck, regions[..., 0] / np.float32(255), scale)
    regions[..., 2] = 0  # the photo's clothes are not worn
    return replace(
        layers,
        sitter=sitter,
        head=to_bytes(whole_head + behind),
        neck=to_bytes(whole_neck),
        garment=garment,
        normals=normals,
        parts=_parts_of(layout, drawn_kind(setup), height),
        regions=regions,
    )


def _neck(setup: Dressing, own: F32, bare: F32, head: F32, hanging: F32, cover: F32) -> F32:
    """Return the matte of the neck between a head and a garment: (height, width) float32 0..1 of the print.

    own: what the photo shows of it; hanging: hair behind it; cover: the garment's. All (H, W) of the torso's part, but
    for `bare`, where in the whole print skin is a neck's and no shoulder's.
    """
    layers, body, turn = setup.layers, setup.body, setup.turn_deg
    height, width = bare.shape
    top, scale = height - len(head), width / frame.PRINT[0]
    size = (width, height - top)
    hung, bare_own = np.minimum(head + hanging, 1), own * bare[top:]  # one goes over to the other
    backdrop, hair = (_lower(part, size) for part in (setup.backdrop, layers.regions[..., 0]))
    throat = throat_of(body, head, scale) * (1 - backdrop)
    neck = up_to_collar(np.maximum(throat, bare_own), cover, head, body, scale)
    opening = np.zeros_like(cover) if setup.garment is None else opening_of(cover, body)
    neck = np.maximum(neck, widening(opening, np.maximum(neck, head), TRAPEZIUS))
    below_hair = np.maximum.accumulate(hair, axis=0)
    between_locks = backdrop * below_hair  # what is seen there is no neck
    if setup.garment is not None:
        grown = up_to_head(neck, hung, bare_own, cover, body, turn, scale)
        neck = np.maximum(neck, grown * (1 - between_locks))
    neck *= within_collar(cover, opening, np.maximum(hair, hanging), body, scale)
    whole = np.concatenate([layers.neck[:top] / np.float32(255) * bare[:top], neck])
    if setup.garment is None:
        return whole
    figure = np.concatenate([cv2.add(layers.head[:top], setup.back_hair[:top]) / np.float32(255), hung])
    above = np.zeros((top, width), np.float32)
    clothes = _lower(layers.regions[..., 2], size)
    seen = backdrop + clothes + own + 0.05
    whole_own, whole_cover, behind, worn = (
        np.concatenate([above, part]) for part in (bare_own, cover, backdrop / seen, clothes / seen)
    )
    whole = without_ledges(whole, figure, whole_own, whole_cover, behind, worn, body, turn, scale)
    slit = np.ones((2 * round(SLIT * INTEROCULAR_PX * scale) + 1,) * 2, np.uint8)
    surely = np.clip(3 * backdrop - 2, 0, 1) * np.clip(2 * below_hair, 0, 1) * (1 - cv2.dilate(cover, slit))
    whole[top:] = np.minimum(whole[top:], np.maximum(neck, 1 - surely))
    whole = up_to_tips(whole, figure, whole_cover, top, body, scale)
    hair = np.maximum(layers.regions[..., 0], setup.back_hair) / np.float32(255)
    return rounded(whole, figure, hair, whole_cover, top, body, scale)


def _cloth(setup: Dressing, layout: Layout, torso: F32, scale: float) -> tuple[U8, F32, F32]:
    """Return a laid out garment as it is photographed: (H, W, 4) uint8, its cover (H, W) and its normals (H, W, 3)."""
    soft = 0.35 * (setup.upscale_factor - 1)  # cloth as sharp as the head, no sharper
    cover = cv2.GaussianBlur(layout.rgba[..., 3], (0, 0), max(EDGE * scale, soft))
    if setup.garment is not None:
        enlarged = INTEROCULAR_PX / setup.garment.facts.eye_px * scale
        cloth = as_sharp(layout.rgba[..., :3], enlarged, setup.upscale_factor)
        surface = trunk_normals(layout.rgba[..., 3])
    else:
        cloth = _weave(_shaded(setup, layout, torso), layout, setup.seed)
        cloth = cv2.GaussianBlur(cloth, (0, 0), soft) if soft > 0.2 else cloth
        surface = drape(layout, drawn_kind(setup), setup.body, setup.seed)
    return to_bytes(cv2.merge((*cv2.split(cloth), cover))), cover, surface


def _parts_of(layout: Layout, kind: str, height: int) -> U8:
    """Return where jacket, shirt and tie are in a print of that height: (height, W, 3) uint8."""
    parts = np.zeros((height, layout.collar.shape[1], len(PART_NAMES)), np.uint8)
    for name, region in layout.regions.items():
        cloth = "jacket" if kind in ONE_PIECE else PART_OF[name]
        part = parts[height - len(region) :, :, PART_NAMES.index(cloth)]
        np.maximum(part, to_bytes(region), out=part)
    return parts


def reframe(layers: Layers, window: Window) -> Layers:
    """Show a window of the layers (left, top, width, height in their pixels) at the layers' own size."""
    height, width = layers.head.shape
    left, top, wide, tall = window
    if (left, top, wide, tall) == (0, 0, width, height):
        return layers
    zoom, shown = height / tall, _framing(layers.head, window)
    marks = layers.marks * np.float32(zoom)
    marks[:, :2] -= np.array([left, top], np.float32) * np.float32(zoom)
    return replace(
        layers,
        sitter=shown(layers.sitter),
        head=shown(layers.head),
        neck=shown(layers.neck),
        garment=shown(layers.garment),
        normals=shown(layers.normals.astype(np.float32)).round().astype(np.int8),
        marks=marks,
        chin=(layers.chin - top) * zoom,
        landmarks=(layers.landmarks - np.array([left, top, 0], np.float32)) * np.float32(zoom),
        parts=shown(layers.parts) if layers.parts.size else layers.parts,
        regions=shown(layers.regions),
    )


def _framing(like: U8, window: Window) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return what shows a window of layers that are as large as this one, at their own size."""
    height, width = like.shape
    left, top, _, tall = window
    zoom = height / tall
    move = np.array([[zoom, 0, (0.5 - left) * zoom - 0.5], [0, zoom, (0.5 - top) * zoom - 0.5]], np.float32)
    return lambda layer: cv2.warpAffine(
        layer, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _shaded(setup: Dressing, layout: Layout, torso: F32) -> F32:
    """Shade the layout's drawing (H, W, 3) with the folds the net drew, by no more than SHADE.

    Light and shade only, for the colour is given. Where two cloths meet the net is a pixel beside the drawing,
    which would show as a line: what it made of their insides is carried over the edge.
    """
    luma, drawn_luma = _flat(setup, layout_of(setup, SIZE)) @ LUMINANCE, torso[..., :3] @ LUMINANCE
    inside = (cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((3, 3))) < 0.02) * (torso[..., 3] > 0.9)
    known = inside.astype(np.float32) + 1e-3
    change = (drawn_luma + 0.05) / (luma + 0.05) - 1
    smooth = cv2.GaussianBlur(change * inside, (0, 0), 2) / cv2.GaussianBlur(known, (0, 0), 2)
    most = SHADE * (1 - 0.7 * luma)  # a grey patch on white is a stain
    fold = most * np.tanh(smooth / most)
    fold = cv2.resize(fold.astype(np.float32), layout.collar.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(layout.rgba[..., :3] * (1 + fold[..., None]), 0, 1)


def _weave(rgb: F32, layout: Layout, seed: int) -> F32:
    """Give cloth its weave: a fine diagonal twill on jackets, a finer plain one on shirts, in linear light.

    One to three percent of contrast: below what is seen as a pattern, above what is seen as plastic.
    """
    height, width = rgb.shape[:2]
    rng = np.random.default_rng([seed, 11])
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    slub = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 1.1, sigmaY=0.6)
    slub /= np.float32(slub.std())
    twill = np.sin((columns + rows) * (2 * np.pi / 3.1)) + 0.5 * slub
    heavy = sum((layout.regions[part] for part in ("jacket", "lapel") if part in layout.regions), np.zeros_like(rows))
    contrast = 0.010 + 0.022 * np.clip(heavy, 0, 1)
    return srgb(linear(rgb) * (1 + contrast * (0.6 * twill + 0.8 * slub))[..., None])
