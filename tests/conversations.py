"""Conversations for the dialogue's tests: sessions in every state, a sample of every event, the limits of two chats."""

from __future__ import annotations

from collections.abc import Callable

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import new_session
from bots.dialogue.limits import Limits
from bots.dialogue.machine import Step
from bots.dialogue.machine import advance as advance_with
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.screens import teams
from bots.dialogue.screens.choices import (
    DetailPicked,
    DetailsOpened,
    GoPressed,
    LastAsked,
    LooksOpened,
    PurposePicked,
    StylePicked,
    SurpriseAsked,
)
from bots.dialogue.screens.desk import (
    AppliedToAll,
    EditsReset,
    MarksAnswered,
    PresetPicked,
    PresetSaved,
    Tweaked,
    TweaksOpened,
)
from bots.dialogue.screens.gallery import (
    AvatarAsked,
    Compared,
    EditRedone,
    EditUndone,
    Favoured,
    FilesAsked,
    PageOpened,
    StickerAsked,
)
from bots.dialogue.screens.jobs import CancelPressed
from bots.dialogue.screens.photos import PhotoUndone
from bots.dialogue.screens.privacy import ForgetConfirmed, KeepPicked, LanguagePicked
from bots.dialogue.screens.welcome import CONSENT_VERSION, Agreed
from bots.dialogue.session import Session, State
from bots.platforms.discord import limits as discord
from bots.platforms.telegram.limits import LIMITS
from jobs.queue.events import FirstPortrait, Pictured

NOW = 1_800_000_000.0
TELEGRAM = LIMITS
DISCORD = discord.LIMITS
PLATFORMS = {"telegram": TELEGRAM, "discord": DISCORD}


def advance(
    session: Session, event: e.Event, now: float = NOW, menu: Menu | None = None, limits: Limits = TELEGRAM
) -> Step:
    """Handle one event with the shipped menu."""
    return advance_with(session, event, now, menu or default_menu(), limits)


def walk(session: Session, *events: e.Event, now: float = NOW, limits: Limits = TELEGRAM) -> Step:
    """Advance through events and return the last step."""
    step = Step(session, (), ())
    for event in events:
        step = advance(step.session, event, now, limits=limits)
    return step


def stranger() -> Session:
    return new_session("1f", "k3f9")


def photo(number: int, album: str = "") -> e.PhotoSent:
    return e.PhotoSent(ref=f"ref{number}", unique=f"unique{number}", album=album)


def portrait(number: int, percent: float | None = 93.0, parent: int | None = None) -> Pictured:
    return Pictured(number, f"shoots/1/{number}.png", "office", percent, parent)


def with_photos(n: int = 2) -> Session:
    events: list[e.Event] = [Agreed(CONSENT_VERSION)]
    for number in range(1, n + 1):
        events += [photo(number), e.PhotoLooked(e.Verdict(number, True))]
    return walk(stranger(), *events).session


def waiting() -> Session:
    return walk(with_photos(), LooksOpened(), StylePicked("office", True), GoPressed(1)).session


def browsing() -> Session:
    return walk(waiting(), e.GalleryCame(1, (portrait(11), portrait(12, 88.0)), drawn=4)).session


def enhancing() -> Session:
    return walk(browsing(), Tweaked(1, 1, "warmer")).session


SESSIONS: dict[State, Callable[[], Session]] = {
    State.WELCOME: stranger,
    State.COLLECTING: with_photos,
    State.CHOOSING: lambda: walk(with_photos(), LooksOpened()).session,
    State.WAITING: waiting,
    State.BROWSING: browsing,
    State.ENHANCING: enhancing,
    State.LEAVING: lambda: walk(browsing(), ForgetConfirmed()).session,
}
SAMPLES: dict[type[e.Event], e.Event] = {
    e.Started: e.Started("style_founder"),
    e.SittingAsked: e.SittingAsked("founder", "business"),
    e.PhotoSent: photo(9),
    e.Said: e.Said("hello"),
    e.OtherSent: e.OtherSent("voice"),
    e.ReportAsked: e.ReportAsked("not me"),
    e.StaleButton: e.StaleButton("old"),
    Agreed: Agreed(CONSENT_VERSION),
    KeepPicked: KeepPicked(7),
    LanguagePicked: LanguagePicked("es"),
    PhotoUndone: PhotoUndone(2),
    LooksOpened: LooksOpened(),
    StylePicked: StylePicked("founder", True),
    PurposePicked: PurposePicked("business"),
    SurpriseAsked: SurpriseAsked(),
    LastAsked: LastAsked(),
    DetailsOpened: DetailsOpened("outfit"),
    DetailPicked: DetailPicked("outfit", "navy_suit"),
    GoPressed: GoPressed(1),
    CancelPressed: CancelPressed(1),
    PageOpened: PageOpened(1, 2),
    Favoured: Favoured(1, 1, True),
    TweaksOpened: TweaksOpened(1, 1, 1),
    Tweaked: Tweaked(1, 1, "cooler"),
    PresetPicked: PresetPicked(1, 1, "linkedin"),
    PresetSaved: PresetSaved(1, 1),
    AppliedToAll: AppliedToAll(1, 1),
    MarksAnswered: MarksAnswered(1, 1, True, "blemishes=more"),
    EditsReset: EditsReset(1, 1),
    EditUndone: EditUndone(1, 1),
    EditRedone: EditRedone(1, 1),
    Compared: Compared(1, 1, True),
    FilesAsked: FilesAsked(1, 1, "all"),
    AvatarAsked: AvatarAsked(1, 1),
    StickerAsked: StickerAsked(1, 1),
    e.PhotoFailed: e.PhotoFailed(1, "gone"),
    e.PhotoLooked: e.PhotoLooked(e.Verdict(1, False, "blurred", 0.1, 0.3)),
    e.JobMoved: e.JobMoved(1, place=3),
    e.FirstPortraitCame: e.FirstPortraitCame(1, FirstPortrait("shoots/1/11.png", "office", 93.0)),
    e.PreviewCame: e.PreviewCame(2, "shoots/2/preview.jpg"),
    e.GalleryCame: e.GalleryCame(1, (portrait(11),)),
    e.PortraitCame: e.PortraitCame(2, portrait(21, parent=11)),
    e.StickersCame: e.StickersCame(2, ("shoots/1/11-telegram_sticker.webp",)),
    e.JobFailed: e.JobFailed(1, "timeout"),
    e.JobStopped: e.JobStopped(1),
    e.Forgotten: e.Forgotten("{}", (("photos", 2),)),
    e.Expired: e.Expired((1, 2), (11,), (("photos", 2), ("sittings", 1))),
    e.TeamOpened: e.TeamOpened(1, "c0de", "founder"),
    e.TeamEntered: e.TeamEntered(2, "founder"),
    e.TeamChanged: e.TeamChanged(1, 3, 2, 1, 5),
    e.TeamSheetCame: e.TeamSheetCame(1, "teams/1/2.jpg", 2, 2),
    e.TeamOver: e.TeamOver(2),
    teams.TeamStarted: teams.TeamStarted("founder"),
    teams.TeamLooks: teams.TeamLooks(1),
    teams.TeamEndAsked: teams.TeamEndAsked(True),
    teams.TeamJoined: teams.TeamJoined("c0de"),
    teams.Released: teams.Released(11, True),
}


def press_of(step: Step, label: str) -> b.Press:
    """Return what the button with that label carries that the step put on screen."""
    for reply in step.replies:
        for row in getattr(reply, "rows", ()):
            for button in row:
                if label in button.label:
                    pressed = b.decode(button.data)
                    assert isinstance(pressed, b.Pressed)
                    return pressed.press
    raise LookupError(f"no {label!r} in {step.replies}")


def card_of(step: Step) -> fx.Card:
    """Return the last card of a step."""
    return [reply for reply in step.replies if isinstance(reply, fx.Card)][-1]


def texts(step: Step) -> str:
    """Everything a step says."""
    return "\n".join(getattr(reply, "text", "") for reply in step.replies)
