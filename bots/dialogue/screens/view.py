"""What every screen is built from: the session, the menu, the platform's limits, and the words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bots.dialogue.buttons import Press, encode
from bots.dialogue.effects import Button, Card, Picture, Rows
from bots.dialogue.limits import Limits
from bots.dialogue.menu import Menu
from bots.dialogue.session import Session
from bots.dialogue.text import catalogue, said_or, say


@dataclass(frozen=True, slots=True)
class View:
    """The session as it is shown. now: seconds since 1970, UTC."""

    session: Session
    menu: Menu
    limits: Limits
    now: float

    def words(self, key: str, **values: object) -> str:
        """Return a sentence in the person's language."""
        return say(self.session.language, key, **values)

    def words_or(self, key: str, otherwise: str, **values: object) -> str:
        """Return the sentence for a key, or the general one where machine words are newer than the catalogue."""
        return said_or(self.session.language, key, otherwise, **values)

    def known(self, *keys: str) -> list[str]:
        """Return the sentences of those keys that the catalogue has."""
        return [self.words(key) for key in keys if key in catalogue(self.session.language)]

    def named(self, room: str, name: str) -> str:
        """Return the word for a name of the menu; where the catalogue has none, its title, or the name itself."""
        title = dict(self.menu.titles).get(name, name.replace("_", " "))
        return self.words_or(f"{room}.{name}", "value.other", value=title)

    # --- buttons -------------------------------------------------------------------------------------

    def labelled(self, label: str, press: Press) -> Button:
        """Return a button, its label cut to what the platform shows."""
        most = self.limits.label
        label = f"{label[: most - 1]}…" if most and len(label) > most else label
        session = self.session
        return Button(label, encode(press, session.conversation, session.nonce, self.limits.button_bytes))

    def button(self, key: str, press: Press, **values: object) -> Button:
        """Return a button with a label from the catalogue."""
        return self.labelled(self.words(f"button.{key}", **values), press)

    def choice(self, label: str, on: bool, press: Press) -> Button:
        """Return a button that is ticked or not: a word and a sign, never colour alone."""
        return self.labelled(f"✓ {label}" if on else label, press)

    def in_rows(self, buttons: Sequence[Button], wide: int) -> Rows:
        """Lay buttons out in rows of `wide`, or of as many as the platform allows."""
        wide = min(wide, self.limits.buttons_a_row)
        return tuple(tuple(buttons[i : i + wide]) for i in range(0, len(buttons), wide))

    def paged(
        self, buttons: Sequence[Button], wide: int, page: int, more: Callable[[int], Press], beside: Rows = ()
    ) -> Rows:
        """Lay out as many buttons as fit beside those rows; where not all do, the last one leads to the next page."""
        room = self.limits.room(sum(map(len, beside)), len(beside), wide)
        if len(buttons) <= room:
            return self.in_rows(buttons, wide)
        pages = -(-len(buttons) // (room - 1))
        page %= pages
        shown = buttons[page * (room - 1) : (page + 1) * (room - 1)]
        return self.in_rows([*shown, self.button("next_page", more((page + 1) % pages))], wide)

    # --- cards ---------------------------------------------------------------------------------------

    def card(
        self,
        slot: str,
        lines: Sequence[str],
        rows: Rows = (),
        pictures: tuple[Picture, ...] = (),
        *,
        repost: bool = False,
        throttled: bool = False,
        lasting: bool = False,
        revocable: bool = False,
    ) -> Card:
        """Return a card whose words are cut to what the platform shows."""
        text = "\n".join(lines)
        most = self.limits.caption if pictures else self.limits.text
        text = f"{text[: most - 1]}…" if most and len(text) > most else text
        return Card(slot, text, rows, pictures, repost, throttled, lasting, revocable)
