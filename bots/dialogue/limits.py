"""What a chat platform allows, as data: the screens read it, the adapters declare it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one platform. 0 means that there is none.

    button_bytes: the most data behind a button. label: characters on a button. buttons_a_row: buttons side by side.
    rows: rows of buttons under a message. components: the parts of a message, each button, each row and each text or
    picture block being one, when row_counts; else its buttons alone. text, caption, toast: characters of a plain
    message, of one with pictures, and of the answer to a button. pictures_a_card: pictures of a message that also has
    buttons. album: pictures or files of one message without buttons. upload_bytes: the most one file may have that is
    sent. fetch_bytes: the most one may have that is received. edit_interval_s: seconds between two edits of one
    message. delete_days: how long a bot may delete its own messages.
    """

    button_bytes: int
    label: int
    buttons_a_row: int
    rows: int
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
