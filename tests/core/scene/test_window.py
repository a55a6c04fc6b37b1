"""Claims about what a print shows where the photo's border cuts the head."""

from hypothesis import given
from hypothesis import strategies as st

from core import frame
from core.scene.stage import LEAST_WINDOW, window_of

SIZE = (1024, 1280)
WHOLE = (0.0, 0.0, 1024.0, 1280.0)


def test_a_head_that_nothing_cuts_keeps_the_frame() -> None:
    assert window_of((0.0, 0.0, 1024.0), 512.0, SIZE) == WHOLE


def test_the_prints_upper_border_lies_where_the_photos_cuts_the_head() -> None:
    left, top, wide, tall = window_of((0.0, 140.0, 1024.0), 512.0, SIZE)
    assert (top, top + tall) == (140.0, 1280.0)
    assert abs(left + wide / 2 - 512) < 1


def test_a_side_that_is_cut_becomes_the_prints_side() -> None:
    left, _, wide, _ = window_of((90.0, 0.0, 1024.0), 500.0, SIZE)
    assert left == 90.0
    assert left + wide <= 1024


def test_a_brim_that_the_photo_shows_whole_is_moved_into_the_print() -> None:
    left, _, wide, _ = window_of((0.0, 140.0, 1024.0), 512.0, SIZE, (250.0, 1000.0))
    assert left + wide >= 1000
    assert window_of((0.0, 140.0, 1024.0), 512.0, SIZE, (10.0, 1010.0)) == window_of((0.0, 140.0, 1024.0), 512.0, SIZE)


def test_what_cannot_be_hidden_keeps_the_frame() -> None:
    assert window_of((0.0, 700.0, 1024.0), 512.0, SIZE) == WHOLE
    assert window_of((600.0, 0.0, 1024.0), 512.0, SIZE) == WHOLE


@given(
    st.tuples(st.floats(0, 1023), st.floats(0, 1279), st.floats(1, 1024)),
    st.floats(0, 1024),
    st.none() | st.tuples(st.floats(-20, 1044), st.floats(-20, 1044)).map(lambda pair: (min(pair), max(pair))),
)
def test_a_window_has_the_prints_shape_lies_in_the_frame_and_holds_the_face(
    shown: tuple[float, float, float], face_x: float, sides: tuple[float, float] | None
) -> None:
    window = window_of(shown, face_x, SIZE, sides)
    left, top, wide, tall = window
    assert abs(wide / tall - 0.8) < 1e-6
    assert tall >= LEAST_WINDOW * 1280
    assert left >= -1e-6
    assert top >= -1e-6
    assert left + wide <= 1024 + 1e-6
    assert top + tall <= 1280 + 1e-6
    if window != WHOLE:
        assert left < face_x < left + wide
        assert top < frame.EYE_LINE * 1280
