"""Claims about what a face is said to do: words by blendshapes, and eyes that meet the camera from a turned head."""

import numpy as np
import pytest

from core.face.expression import expression_of
from core.face.mesh import BLENDSHAPES


def words(yaw: float = 0.0, pitch: float = 0.0, **scores: float) -> tuple[str, ...]:
    """The words for a face at rest but for these scores; a name without a side means both."""
    values = np.zeros(len(BLENDSHAPES), np.float32)
    for name, score in scores.items():
        for place, full in enumerate(BLENDSHAPES):
            if full in (name, f"{name}Left", f"{name}Right"):
                values[place] = score
    return expression_of(values, yaw, pitch)


def test_a_face_at_rest_does_nothing() -> None:
    assert words() == ()


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ({"jawOpen": 0.25}, ("mouth_open",)),
        ({"jawOpen": 0.3, "mouthSmile": 0.9}, ("smile",)),
        ({"jawOpen": 0.5, "mouthSmile": 0.9}, ("mouth_open", "smile")),
        ({"eyeBlink": 0.5}, ("eyes_closed",)),
        ({"eyeBlinkLeft": 0.9}, ()),
        ({"eyeLookDown": 0.6}, ("looks_down",)),
        ({"browDown": 0.95}, ("frown",)),
    ],
)
def test_words_follow_the_scores(scores: dict[str, float], told: tuple[str, ...]) -> None:
    assert words(**scores) == told


def test_eyes_that_meet_the_camera_from_a_turned_head_are_not_aside() -> None:
    into_camera = {"eyeLookInLeft": 0.4, "eyeLookOutRight": 0.4}
    assert "gaze_aside" not in words(yaw=14, **into_camera)
    assert "gaze_aside" in words(yaw=-14, **into_camera)
    assert "gaze_aside" in words(yaw=0, **into_camera)
