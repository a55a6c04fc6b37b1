"""Words of the studio: whose language, and what is called how."""

import pytest

from core.catalogue import locale_language, named


@pytest.mark.parametrize(
    ("both", "lang", "spoken"),
    [("", "es_ES.UTF-8", "es"), ("en_GB.UTF-8", "es_ES.UTF-8", "en"), ("", "C.UTF-8", "en"), ("", "", "en"),
     ("", "pt_BR", "en"), ("", "es", "es")],
)  # fmt: skip
def test_the_process_s_locale_names_the_language(
    monkeypatch: pytest.MonkeyPatch, both: str, lang: str, spoken: str
) -> None:
    monkeypatch.setenv("LC_ALL", both)
    monkeypatch.setenv("LANG", lang)
    assert locale_language() == spoken


def test_what_no_catalogue_knows_has_its_other_name_or_its_own() -> None:
    assert named("es", "value", "navy_suit", "Navy suit") == "Traje azul marino, corbata azul"
    assert named("es", "style", "my_own_look.title", "Mine") == "Mine"
    assert named("es", "value", "half_a_mask") == "half a mask"
