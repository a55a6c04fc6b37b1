"""Claims about the names of photos: each has its own, nobody's is taken."""

from hypothesis import given
from hypothesis import strategies as st

from core.intake.names import told_apart


def names_of(*names: str) -> list[str]:
    return [name for name, _ in told_apart([(name, b"") for name in names])]


def test_the_second_of_a_name_is_numbered() -> None:
    assert names_of("IMG_0001.jpg", "IMG_0001.jpg", "IMG_0001.jpg") == [
        "IMG_0001.jpg", "IMG_0001 (2).jpg", "IMG_0001 (3).jpg",
    ]  # fmt: skip


def test_a_name_that_another_photo_has_is_not_given() -> None:
    assert names_of("a.jpg", "a.jpg", "a (2).jpg") == ["a.jpg", "a (3).jpg", "a (2).jpg"]


@given(st.lists(st.sampled_from(["a", "a.jpg", "a (2)", "a (2).jpg", "", ".a", "b/a.jpg"]), max_size=12))
def test_names_are_told_apart_and_photos_stay_in_order(names: list[str]) -> None:
    photos = [(name, str(number).encode()) for number, name in enumerate(names)]
    named = told_apart(photos)
    assert len({name for name, _ in named}) == len(photos)
    assert [data for _, data in named] == [data for _, data in photos]
    firsts = {name: names.index(name) for name in names}
    assert all(named[place][0] == name for name, place in firsts.items())
