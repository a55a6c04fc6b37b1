"""What one stage hands to the next: frozen dataclasses of numpy arrays and plain values; imports numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.floating[Any]]
"""Real arrays; float32 unless a docstring says otherwise (numpy's own stubs call every quotient float64)."""
U8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face as the models saw it, in the pixels of the photo it stands in.

    box: x, y, width, height. landmarks: (478, 3) float32, z towards the back, same unit.
    blendshapes: (52,) float32 in 0..1, in mediapipe's order (`core.face.mesh.BLENDSHAPES`).
    Angles in degrees: yaw > 0 looks to the picture's right, pitch > 0 looks up, roll > 0 leans to
    the picture's right. embedding: (128,) float32 of length 1 (SFace).
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: F32
    blendshapes: F32
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    eye_px: float
    embedding: F32


@dataclass(frozen=True, slots=True, eq=False)
class Selfie:
    """A photo that was kept: upright sRGB pixels without metadata, and its one face.

    name: what its owner called the file. sha256: of the bytes that came. rgb: (H, W, 3) uint8.
    sharpness, luminance: as `core.intake.review` measures them. notes: machine words for what was mended
    on the way in ("others_cropped", "turned", "perspective_undone",
    "tone_mapped", "cut_short"), or is good to know ("colour_unknown", "colourless", "toned", "colour_cast",
    "hard_light").
    """

    name: str
    sha256: str
    rgb: U8
    face: Face
    sharpness: float
    luminance: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photo that was not kept, as a value.

    reason: machine word (`core.intake.review.REASONS` lists all). measured and limit are in the reason's
    own unit. hint: one short English instruction; chat languages live in `bots/dialogue/text.py`.
    bound: "min" when limit is the least a kept photo has, "max" when it is the most, "none" when there is no number
    (both are 0). A number that does not break its limit raises ValueError: no refusal contradicts itself.
    """

    name: str
    reason: str
    measured: float
    limit: float
    hint: str
    bound: Literal["min", "max", "none"]

    def __post_init__(self) -> None:
        broken = {
            "min": self.measured < self.limit < math.inf and self.measured > -math.inf,
            "max": -math.inf < self.limit < self.measured < math.inf,
            "none": self.measured == self.limit == 0,
        }
        if not broken[self.bound]:
            raise ValueError(f"{self.reason}: {self.measured} does not break its limit {self.limit} ({self.bound})")


@dataclass(frozen=True, slots=True)
class Features:
    """What a person can change from photo to photo, as `core.face.features` measured it; None: not seen well enough.

    facial_hair: "none", "moustache" or "beard" (a moustache with it or not). hair_colour: a word of
    `core.face.features.COLOURS` or "dark brown". hair_length: "bald", "short", "chin" or "shoulder_or_longer". hat: or
    a scarf. Beside each what was measured: glasses_edge, hat_edge the steepness of the line over the nose and over
    the forehead; chin_texture, lip_texture as in `core.face.features.measure`; hair_lab CIELAB; hair_below_chin squared
    eye distances of hair beside the neck.
    """

    glasses: bool | None
    glasses_edge: float
    facial_hair: str | None
    chin_texture: float
    lip_texture: float
    hair_colour: str | None
    hair_lab: tuple[float, float, float]
    hair_length: str | None
    hair_below_chin: float
    hat: bool | None
    hat_edge: float
    own_clothes: bool | None = None
    tie: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FaceMap:
    """How one selfie's head stands and is lit, in the canonical frame at full print size.

    transform: (2, 3) photo -> frame at 1024x1280. landmarks: (478, 3) float32 in frame pixels.
    light: (9,) float32, second-order spherical harmonics of linear luminance over the face's skin,
    divided by their mean; light_side: -1 lit from the picture's left .. 1 from the right.
    expression: words of `core.face.expression.expression_of`, and "grimace" (`core.face.grimace`).
    shoulders_visible: the photo reaches below the chin far enough to show both shoulders.
    marks: (N, 3) float32 x, y, radius in frame pixels of moles and scars to protect.
    upscale_factor: print pixels per photo pixel at full print size; above 2.3 the print gets smaller.
    features: glasses, hair and hat; shown: left, top and right in frame pixels within which no border of the photo cuts
    the head. Both None before `core.face.features.observe`, which needs the parser, has looked. unsure: how much of the
    photo above the collar could not be told apart, in squared eye distances; 0 before.
    """

    selfie: Selfie
    transform: F32
    landmarks: F32
    light: F32
    light_side: float
    expression: tuple[str, ...]
    shoulders_visible: bool
    marks: F32
    skin_lab: tuple[float, float, float]
    upscale_factor: float
    features: Features | None = None
    shown: tuple[float, float, float] | None = None
    unsure: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """The body under the head, in pixels of the full print.

    neckline: y where clothes begin under the chin. neck_x, neck_width: where the bare neck is widest. shoulders: left
    and right x of the arms, None where the photo does not show them. shoulder_y: the shoulder line's height
    frame.SHOULDER beside the neck, None where it is hidden. bare: how deep the neck's skin is
    seen under the jaw, the mean of its columns in eye distances.
    """

    neckline: float
    neck_x: float
    neck_width: float
    shoulders: tuple[float, float] | None
    shoulder_y: float | None
    bare: float


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """The sitter lifted off the photo, in the frame at full print size (H, W) = (1280, 1024).

    rgb: (H, W, 3) float32 sRGB in 0..1, the sitter's own colours with the old surroundings estimated away. All mattes
    (H, W) float32 in 0..1. matte: the whole person. head: face, ears, hat, and hair that no garment covers. back_hair:
    hair behind the shoulders, carried on below its end. neck: bare skin under the jaw. backdrop: where the photo shows
    something else than the sitter. figure: the body under the head. shown: left, top and right within which no border
    of the photo cuts the head. regions: (H, W, 3) uint8, how much of each pixel is the sitter's hair, hat and own
    clothes. window: left, top, width and height of what a print of the whole sitter in their own clothes shows
    (`core.cutout.whole`); None where a garment is to be put on. bearded: whether a long beard was found.
    """

    rgb: F32
    matte: F32
    head: F32
    back_hair: F32
    neck: F32
    backdrop: F32
    figure: Figure
    shown: tuple[float, float, float]
    regions: U8
    window: tuple[float, float, float, float] | None = None
    bearded: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """Where a garment meets its wearer, in frame pixels at full print size.

    neck_x, neck_width: the bare neck at the collar. collar_y: where the collar's upper edge crosses
    the neck's middle. chin_y: the chin's lowest point. shoulder_y: how high the shoulders stand frame.SHOULDER
    beside the neck; left, right: the arms' outer edges.
    """

    neck_x: float
    neck_width: float
    collar_y: float
    chin_y: float
    shoulder_y: float
    left: float
    right: float


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A portrait taken apart, at its print size (H, W): what light and backdrop edits work on.

    sitter: (H, W, 3) uint8 sRGB, head and neck in their own light, filled outside the masks.
    head, neck: (H, W) uint8 mattes. garment: (H, W, 4) uint8 sRGB and matte. normals: (H, W, 3)
    int8, -127..127, of the sitter. light: (9,) float32 as `FaceMap.light`. marks: (N, 3) float32
    x, y, radius in these pixels. gain: exposure gain of linear light. grain: standard deviation of
    the sitter's own noise, 0..1 sRGB. chin: row where the chin ends. landmarks: (478, 3) float32 face mesh in these
    pixels, (0, 3) where a release before 2026-12 kept none. parts: (H, W, 3) uint8, where jacket, shirt and tie are
    (`core.scene.wardrobe.PART_NAMES`), (0, 0, 3) where the sitter wears their own clothes. frame_width: width of the
    canonical frame in these pixels, 0 where it is W. regions: (H, W, 3) uint8, how much of each pixel is the sitter's
    hair, hat and own clothes, (0, 0, 3) where a release before 2026-12 kept none. outfit: digest of the outfit that an
    edit put on (`core.edit.outfit`), empty as drawn. undressed: what another garment is put on, own: the sitter in
    their own clothes as photographed; None where they are not kept, or where nothing asked for them.
    """

    sitter: U8
    head: U8
    neck: U8
    garment: U8
    normals: NDArray[np.int8]
    light: F32
    marks: F32
    gain: float
    grain: float
    chin: float
    landmarks: F32 = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    parts: U8 = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    frame_width: float = 0.0
    regions: U8 = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    outfit: str = ""
    undressed: Undressed | None = None
    own: Layers | None = None

    @property
    def unit(self) -> float:
        """Return the width that lengths given as parts of the frame's width refer to, in these pixels."""
        return self.frame_width or float(self.head.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Undressed:
    """The sitter without a garment, in the canonical frame at the print's size (H, W): what a garment is put on.

    layers: head, front hair and own neck alone. back_hair, backdrop: (H, W) uint8, as in `Cutout`. window: left, top,
    width and height of what the print shows of these pixels. skin: sRGB 0..1 of the face's lower half, which the neck
    is to have; face_colour: of the whole face. neckline: as in `Figure`. upscale_factor: print pixels per photo pixel.
    turn_deg: how far the torso is turned to the picture's right. bearded: whether a beard may hang over the neck.
    jaws: light of the skin at the left and right side of the jaw, of its face's; 0 where it is not known.
    from_row: above it sitter, normals and regions are those of the portrait, and not kept twice.
    """

    layers: Layers
    back_hair: U8
    backdrop: U8
    window: tuple[float, float, float, float]
    body: Body
    skin: tuple[float, float, float]
    face_colour: tuple[float, float, float]
    neckline: float
    upscale_factor: float
    turn_deg: float = 0.0
    bearded: bool = False
    from_row: int = 0
    jaws: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Who the sitter is to the studio: their maps, their baseline, and what training learnt.

    baseline: median cosine between the person's own photos, None with one photo.
    lora: folder of PEFT files, None when training did not help or was not asked for.
    trained_on: sha256 of the photos that the LoRA in use was trained on.
    proof: held-out error with and without the LoRA, as `core.engines.lora` measured it.
    """

    maps: tuple[FaceMap, ...]
    baseline: float | None
    lora: str | None = None
    trained_on: tuple[str, ...] = ()
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one portrait.

    likeness: median cosine to photos that were not its source. percent_of_baseline: likeness over
    the person's own baseline in percent, None with one photo. source_likeness: the untouched
    source's own likeness to the same photos. copy: the nearest photo scores far above the baseline.
    reasons: machine words for everything that failed, empty when kept. cost_points: percent of baseline
    that new light took, against the same picture in the photo's own light; collar, backdrop and repair stand on both
    sides of it, so what those took shows only in likeness beside source_likeness.
    """

    kept: bool
    likeness: float | None
    percent_of_baseline: float | None
    source_likeness: float | None
    cost_points: float | None
    copy: bool
    reasons: tuple[str, ...]
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One edit of a recipe.

    id: hexadecimal digest of all the rest. parent: id of the step it follows, empty for the portrait as drawn. name,
    version: which kind of step (`core.edit.recipe.table`). parameters: JSON values it was given.
    """

    id: str
    parent: str
    name: str
    version: int
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that is needed to make the same portrait again, byte for byte, from its layers.

    style, source (sha256 of the photo), seed, engine and print size; settings: what it was composed with as drawn.
    steps: every edit made since, each after its parent; head: id of the step that is shown, empty for none.
    `core.edit.recipe` reads, writes and replays it.
    """

    style: str
    purpose: str
    source: str
    seed: int
    engine: str
    width: int
    height: int
    settings: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    head: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One finished picture with the layers it is made of. rgb: (H, W, 3) uint8 at the recipe's print size."""

    id: str
    rgb: U8
    layers: Layers
    recipe: Recipe
