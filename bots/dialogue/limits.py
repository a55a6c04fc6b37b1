"""What a chat platform allows, as data: the screens read it, the adapters declare it."""

from __future__ import annotations

from dataclasses import dataclass

BLOCKS = 4  # of a message where blocks count: the container, its text, its pictures, a separator


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one platform. 0 means that there is none.

    button_bytes: the most data behind a button. label: characters on a button. buttons_a_row: buttons side by side.
    components: the most buttons of one message; where row_counts, each row, text and picture block is one as well.
    text, caption, toast: characters of a plain message, of one with pictures, and of the answer to a button.
    pictures_a_card: pictures of a message that also has buttons. album: pictures or files of one message without
    buttons. upload_bytes: the most one file may have that is sent. fetch_bytes: the most one may have that is
    received. edit_interval_s: seconds between two edits of one message. delete_days: how long a bot may delete its
    own messages. stickers: the kinds of `core.deliver.sticker.KINDS` that a person keeps a portrait as there.
    """

    button_bytes: int
    label: int
    buttons_a_row: int
    components: int
    row_counts: bool
    text: int
    caption: int
    toast: int
    pictures_a_card: int
    album: int
    upload_bytes: int
    fetch_bytes: int
    edit_interval_s: float
    delete_days: float
    stickers: tuple[str, ...] = ("telegram_sticker",)

    def room(self, buttons: int, rows: int, wide: int) -> int:
        """Return how many buttons more fit, `wide` in a row, into a message that has so many buttons and rows."""
        wide = min(wide, self.buttons_a_row)
        if not self.row_counts:
            return self.components - buttons
        left = self.components - BLOCKS - buttons - rows
        return left // (wide + 1) * wide + max(0, left % (wide + 1) - 1)
