"""What may be drawn anew: whose words reach the net, and which words and pictures are refused. Needs no net of its own.

Everything asked of a net is built from the wardrobe's titles and from what was measured; a person's own words get in
only where the operator allows it (ATELIER_FREE_PROMPTS), and then through `check_words`. No text may ask for nudity or
sexual content, for minors or a changed age, or for another person's face. No age is ever inferred: what is refused is
refused for everybody. A picture that shows more skin than cloth below the chin is dropped (`shows_too_much`).
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from core.cutout.parts import HALF, Parts
from core.cutout.whole import LEAST_CLOTHES
from core.engines.base import Engine
from core.errors import Refused
from core.face.mesh import CHIN
from core.settings import setting
from core.types import F32

MOST_WORDS: Final = 200
"""Characters of a person's own words."""
REFUSED: Final = {
    "undressed": r"nud\w*|naked\w*|undress\w*|unclothed|topless|bottomless|shirtless|lingerie|underwear|bikini|"
    r"swimsuit|swimwear|bra|panties|thong|bare chest\w*|breasts?|nipples?|genital\w*|see[- ]?through|"
    r"transparent cloth\w*",
    "sexual": r"sex\w*|erotic\w*|porn\w*|nsfw|fetish\w*|seductive|sensual|lewd|horny|orgasm\w*|bdsm",
    "minor": r"child\w*|kids?|boys?|girls?|teen\w*|tween\w*|toddler\w*|bab(?:y|ies)|infant\w*|minors?|underage\w*|"
    r"school ?(?:boy|girl|uniform)\w*|lolita?|shota\w*|youth\w*|young\w*|adolescent\w*",
    "age": r"(?:\d+|[a-z]+)[- ]years?[- ]old|aged? \d+|older|elderly|de-?aged?",
    "other_person": r"look(?:s|ing)? like (?!in )|face of|celebrity|famous|deepfake",
}
"""Words that no text to a net may hold, by why; English, as all texts to nets are."""
_PATTERNS: Final = {why: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for why, words in REFUSED.items()}


def check_words(text: str) -> str:
    """Return a text to a net unchanged. Raises Refused with the word that the policy does not let through."""
    for why, pattern in _PATTERNS.items():
        if found := pattern.search(text):
            raise Refused(f"words_{why}", f"{found.group()!r} is not drawn here; leave it out")
    return text


def free_words(text: str, engine: Engine) -> str:
    """Return a person's own words, checked, for an engine.

    Raises Refused where the operator allows none, for what they say, or where the engine draws none.
    """
    if setting("FREE_PROMPTS").lower() not in ("1", "true", "yes"):
        raise Refused("words_not_allowed", "own words are off here; the operator allows them by ATELIER_FREE_PROMPTS=1")
    text = " ".join(text.split())
    if len(text) > MOST_WORDS or not text.isascii() or not text.isprintable():
        raise Refused("words_form", f"{len(text)} characters of own words; give up to {MOST_WORDS} of plain English")
    if not engine.draws_words:
        raise Refused("words_unused", f"engine {engine.name} draws no words; choose another, or leave them out")
    return check_words(text)


def shows_too_much(parts: Parts, landmarks: F32) -> bool:
    """Return whether a drawn figure shows more bare skin below the chin than presentable clothes leave.

    The measure by which a photo's own clothes are presentable (`core.cutout.whole.own_clothes`): cloth covers at least
    LEAST_CLOTHES of cloth and skin. landmarks: (478, 3) in the frame at full print size.
    """
    chin = round(float(landmarks[CHIN, 1]) * HALF)
    skin = np.clip(parts.skin - parts.skin * parts.oval, 0, 1)
    cloth, bare = float(parts.clothes[chin:].sum()), float(skin[chin:].sum())
    return cloth <= LEAST_CLOTHES * max(cloth + bare, 1.0)
