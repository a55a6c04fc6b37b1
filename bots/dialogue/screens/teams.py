"""Screens of teams: what the owner sees, what a member sees, and the invitation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press, encode
from bots.dialogue.effects import Button, Card, Picture, Say
from bots.dialogue.limits import Limits
from bots.dialogue.screens.choices import style_title
from bots.dialogue.screens.view import View
from bots.dialogue.session import OwnTeam
from bots.dialogue.text import say

START: str = "team_"  # what a private chat is started with to join; the code follows


@dataclass(frozen=True, slots=True)
class TeamStarted(Press):
    """Open a team that is drawn in this look."""

    op: ClassVar[str] = "tmopen"
    look: str


@dataclass(frozen=True, slots=True)
class TeamLooks(Press):
    """A page of the looks a team can be opened in."""

    op: ClassVar[str] = "tmlooks"
    page: int


@dataclass(frozen=True, slots=True)
class TeamEndAsked(Press):
    """End one's own team. sure: pressed once more."""

    op: ClassVar[str] = "tmend"
    sure: bool


@dataclass(frozen=True, slots=True)
class TeamJoined(Press):
    """Join the team of this code: whoever presses."""

    op: ClassVar[str] = "tmjoin"
    for_anyone: ClassVar[bool] = True
    code: str


@dataclass(frozen=True, slots=True)
class Released(Press):
    """Let the owner of one's team see a portrait, or no longer. portrait: its database id."""

    op: ClassVar[str] = "tmshow"
    portrait: int
    on: bool


def choose(view: View, page: int = 0, repost: bool = False) -> Card:
    """What a team is, and the looks it can be opened in; photographs only, for a set of drawings needs no one light."""
    looks = [
        view.labelled(style_title(view, look.id), TeamStarted(look.id))
        for look in view.menu.looks
        if look.family != "drawn"
    ]
    return view.card("team", [view.words("team.what")], view.paged(looks, 2, page, TeamLooks), repost=repost)


def owned(view: View, team: OwnTeam, repost: bool = False) -> Card:
    """One's own team: its sheet, how alike the portraits on it are, how many are in it, and how others join."""
    lines = [view.words("team.own", look=style_title(view, team.look), n=team.members, shown=team.shown)]
    if team.sheet and team.shown > 1:
        eyes, head = f"{100 * team.eye_line:.1f}", f"{100 * team.head_height:.1f}"
        lines.append(view.words("team.alike", eyes=eyes, head=head, backdrop=f"{team.backdrop:.1f}"))
    lines.append(view.words("team.how_to_join", code=team.code))
    rows = (
        (view.button("team_end_sure" if team.ending else "team_end", TeamEndAsked(team.ending)),),
        *(() if view.session.membership is not None else ((view.button("team_join_own", TeamJoined(team.code)),),)),
    )
    alt = view.words("team.sheet_alt", n=team.shown)
    pictures = (Picture("blob", team.sheet, alt),) if team.sheet else ()
    return view.card("team", lines, rows, pictures, repost=repost, lasting=True, revocable=True)


def over(view: View) -> Card:
    """What is left of the card of a team that was ended."""
    return view.card("team", [view.words("team.ended")])


def invitation(language: str, code: str, look: str, limits: Limits) -> Say:
    """What is posted where a whole group reads: which look, that nobody sees anybody's photos, and the way in."""
    data = encode(TeamJoined(code), "0", "0", limits.button_bytes)
    button = Button(say(language, "button.team_join"), data, start=f"{START}{code}")
    return Say(say(language, "team.invitation", look=look), ((button,),), public=True)


def release(view: View, portrait: int, style: str) -> tuple[tuple[Button, ...], ...]:
    """The button under a portrait that was drawn for the team."""
    team = view.session.membership
    if team is None or style != team.look:
        return ()
    on = team.released != portrait
    return ((view.button("team_release" if on else "team_take_back", Released(portrait, on)),),)
