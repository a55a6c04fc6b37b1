"""Setup -> the instruction klein is given: the studio's own words, and only what was measured of the sitter.

Never age, gender or origin: nothing infers them. What the photos do not show clearly is not said.
"""

from __future__ import annotations

from typing import Any, Final

from core.engines.safety import check_words
from core.scene.style import Lamps, Outfit, backdrop_words, in_colour, pick
from core.types import FaceMap, Features

WORD: Final = "ohwx person"
"""Stands for the sitter where a LoRA has learnt them: a rare token, and a class word that claims nothing."""
TURNED_DEG: Final = 8.0
"""Turn from which a head is called turned."""
LENGTHS: Final = {"bald": "a bald head", "short": "short", "chin": "chin-length", "shoulder_or_longer": "long"}
DRAWN: Final = {
    "anime": "Anime cel illustration with flat shading and clean line art",
    "cartoon": "Cartoon with bold outlines and flat colours",
    "charcoal": "Charcoal drawing with white chalk on toned paper",
    "engraving": "Copperplate engraving in parallel lines that swell with the shade",
    "ink": "Comic book ink drawing with spotted blacks and halftone dots",
    "low_poly": "Low poly illustration of flat triangles",
    "oil": "Oil painting on canvas with visible brush strokes",
    "pencil": "Graphite pencil drawing on white paper, hatched along the form",
    "pop_art": "Pop art silkscreen print in flat loud colours",
    "poster": "Flat vector poster in five colours",
    "stained_glass": "Stained glass window with dark lead lines",
    "watercolour": "Watercolour painting with wet edges on white paper",
}
"""Every look of `core.looks` in words."""
ALL_DRAWN: Final = "All of it is drawn, the backdrop as well, and it is plainly the same person"
LOOK: Final = "85 mm portrait lens, natural skin texture with visible pores, sharp focus on the eyes"


def instruction_of(settings: dict[str, Any], face: FaceMap, references: int, known: bool) -> str:
    """Say what is to be drawn. settings: of the setup. known: the LoRA's word stands for the sitter.

    Raises Refused for words that the policy of `core.engines.safety` does not let through.
    """
    who = f"{WORD}, the" if known else "The"
    shown = "image 1" if references == 1 else f"images 1 to {references}"
    parts = [
        f"{who} same person as in {shown}, the same face and the same proportions",
        *facts_of(face.features),
        pose_of(face),
        *scene_of(settings),
    ]
    if finish := settings.get("finish"):
        text = ". ".join([f"{DRAWN[finish['look']]}, head and shoulders", *parts, ALL_DRAWN]) + "."
    else:
        text = ". ".join(["Head and shoulders studio photograph", *parts, LOOK]) + "."
    if words := settings.get("words"):
        text += f" {words}."
    return check_words(text)


def face_instruction(face: FaceMap, known: bool) -> str:
    """Say what the face pass draws: the same face, larger."""
    who = f"{WORD}, the" if known else "The"
    parts = [f"{who} same face as in the reference images", *facts_of(face.features), pose_of(face), LOOK]
    return check_words("Close photograph of a head. " + ". ".join(parts) + ".")


def garment_instruction(outfit: Outfit) -> str:
    """Say what is drawn where another garment is put on: the clothes alone."""
    return check_words(f"The same photograph, now wearing {outfit.title.lower()}. Face, hair and backdrop unchanged.")


def facts_of(features: Features | None) -> list[str]:
    """Return what was measured of a photo as sentences; what is not known well enough is left out."""
    if features is None:
        return []
    said = []
    if features.hair_length == "bald":
        said.append(f"Has {LENGTHS['bald']}")
    elif features.hair_length or features.hair_colour:
        words = (LENGTHS.get(features.hair_length or "", ""), features.hair_colour or "", "hair")
        said.append("Has " + " ".join(word for word in words if word))
    if features.facial_hair in ("beard", "moustache"):
        said.append(f"Has a {features.facial_hair}")
    elif features.facial_hair == "none":
        said.append("Clean-shaven")
    if features.glasses is not None:
        said.append("Wears the glasses of the photos" if features.glasses else "Wears no glasses")
    return said


def pose_of(face: FaceMap) -> str:
    """Return how the head stands and whether it smiles, as the portrait's photo has it."""
    yaw = face.selfie.face.yaw_deg
    side = "right" if yaw > 0 else "left"
    turn = "Faces the camera" if abs(yaw) < TURNED_DEG else f"Head turned slightly to the picture's {side}"
    return f"{turn}, looks into the lens, {'smiles' if 'smile' in face.expression else 'mouth closed'}"


def scene_of(settings: dict[str, Any]) -> list[str]:
    """Return outfit, backdrop and light in the wardrobe's own words."""
    lamps = pick("light", settings["light"])
    assert isinstance(lamps, Lamps)
    behind = backdrop_words(settings["backdrop"])
    return [f"Wears {_outfit(settings)}", f"Behind: {behind}, out of focus", f"Light: {lamps.title.lower()}"]


def _outfit(settings: dict[str, Any]) -> str:
    outfit = pick("outfit", settings["outfit"])
    assert isinstance(outfit, Outfit)
    outfit = in_colour(outfit, settings.get("colour"))
    return "the clothes of image 1" if outfit.kind == "own" else outfit.title.lower()
