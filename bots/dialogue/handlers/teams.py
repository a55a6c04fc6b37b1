"""Teams: opening and ending one, joining and leaving it, and what its owner may see."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import Context
from bots.dialogue.handlers.gallery import show_gallery
from bots.dialogue.rules import BUSY, EVERYWHERE, IDLE, WELCOME, handles, when
from bots.dialogue.screens import choices, teams, welcome
from bots.dialogue.session import Membership, OwnTeam


@handles(e.TeamAsked, when(WELCOME, *IDLE, *BUSY))
def _team_asked(ctx: Context, event: e.TeamAsked) -> None:
    if event.code:
        join(ctx, event.code)
    elif not ctx.session.consent:
        ctx.replies.append(welcome.welcome(ctx.view))
    elif ctx.session.own_team is not None:
        ctx.change(own_team=replace(ctx.session.own_team, ending=False))
        ctx.replies.append(teams.owned(ctx.view, ctx.session.own_team, repost=True))
    else:
        ctx.replies.append(teams.choose(ctx.view, repost=True))


@handles(teams.TeamLooks, when(*IDLE, *BUSY))
def _team_looks(ctx: Context, event: teams.TeamLooks) -> None:
    if ctx.session.own_team is None:
        ctx.replies.append(teams.choose(ctx.view, event.page))


@handles(teams.TeamStarted, when(*IDLE, *BUSY))
def _team_started(ctx: Context, event: teams.TeamStarted) -> None:
    if event.look not in ctx.menu:
        ctx.toast("looks.off_menu")
    elif ctx.session.own_team is None:
        locked = tuple((name, value) for name, value in ctx.session.details if name not in choices.OF_A_MEMBER)
        ctx.effects.append(fx.OpenTeam(event.look, locked))


@handles(e.TeamOpened, when(*IDLE, *BUSY))
def _team_opened(ctx: Context, event: e.TeamOpened) -> None:
    if ctx.session.own_team is None:
        _show(ctx, OwnTeam(event.team, event.code, event.look, event.members))


@handles(teams.TeamEndAsked, when(*IDLE, *BUSY))
def _team_end_asked(ctx: Context, event: teams.TeamEndAsked) -> None:
    own = ctx.session.own_team
    if own is None:
        ctx.toast("team.none")
    elif not event.sure:
        _show(ctx, replace(own, ending=True))
    else:
        ctx.effects.append(fx.EndTeam(own.team))
        ctx.change(own_team=None)
        ctx.replies.append(teams.over(ctx.view))


@handles(teams.TeamJoined, when(WELCOME, *IDLE, *BUSY))
def _team_joined(ctx: Context, event: teams.TeamJoined) -> None:
    join(ctx, event.code)


def join(ctx: Context, code: str) -> None:
    """Join a team; who has not agreed yet is asked first, and joins then."""
    if not ctx.session.consent:
        ctx.change(invited=code)
        ctx.say("team.agree_first")
        ctx.replies.append(welcome.welcome(ctx.view))
        return
    ctx.change(invited="")
    ctx.effects.append(fx.JoinTeam(code))


@handles(e.TeamEntered, when(*IDLE, *BUSY))
def _team_entered(ctx: Context, event: e.TeamEntered) -> None:
    old = ctx.session.membership
    if not event.team:
        ctx.say("team.unknown")
    elif old is not None and old.team == event.team:
        ctx.say("team.already", look=choices.style_title(ctx.view, event.look))
    else:
        ctx.change(membership=Membership(event.team, event.look, event.details))
        ctx.say("team.joined", look=choices.style_title(ctx.view, event.look))
        if ctx.session.state in IDLE and ctx.session.kept:
            ctx.replies.append(choices.looks(ctx.view, repost=True))


@handles(choices.TeamLeft, when(*IDLE, *BUSY))
def _team_left(ctx: Context, event: choices.TeamLeft) -> None:
    if ctx.session.membership is None:
        ctx.toast("team.none")
        return
    ctx.change(membership=None)
    ctx.effects.append(fx.LeaveTeam())
    ctx.say("team.left")
    if ctx.session.state in IDLE and ctx.session.kept:
        ctx.replies.append(choices.looks(ctx.view, repost=True))


@handles(e.TeamOver, when(*EVERYWHERE))
def _team_over(ctx: Context, event: e.TeamOver) -> None:
    old = ctx.session.membership
    if old is not None and old.team == event.team:
        ctx.change(membership=None)
        ctx.say("team.over")


@handles(teams.Released, when(*IDLE, *BUSY))
def _released(ctx: Context, event: teams.Released) -> None:
    team = ctx.session.membership
    gallery = next((g for g in ctx.session.galleries if any(s.drawn.id == event.portrait for s in g.portraits)), None)
    if team is None or gallery is None:
        ctx.toast("team.none" if team is None else "stale.expired")
        return
    released = event.portrait if event.on else 0
    ctx.change(membership=replace(team, released=released))
    ctx.effects.append(fx.Release(released))
    ctx.toast("team.released" if event.on else "team.taken_back")
    show_gallery(ctx, gallery)


@handles(e.TeamChanged, when(*IDLE, *BUSY))
def _team_changed(ctx: Context, event: e.TeamChanged) -> None:
    """Take an outdated sheet off the card at once: somebody may have left; the new one is being made.

    What is told of a team may arrive in any order: an older count is passed over, and the sheet may have come first.
    """
    own = known = _own(ctx, event.team)
    if own is None:
        return
    if event.number > own.counted:
        own = replace(own, members=event.members, counted=event.number)
    if event.version > own.version:
        own = replace(own, version=event.version, shown=event.released, sheet="")
    if own != known:
        _show(ctx, own)


@handles(e.TeamSheetCame, when(*IDLE, *BUSY))
def _team_sheet_came(ctx: Context, event: e.TeamSheetCame) -> None:
    own = _own(ctx, event.team)
    if own is not None and event.version >= own.version:
        sheet = replace(own, shown=event.shown, sheet=event.sheet, version=event.version, eye_line=event.eye_line,
                        head_height=event.head_height, backdrop=event.backdrop)  # fmt: skip
        _show(ctx, sheet)


def _own(ctx: Context, team: int) -> OwnTeam | None:
    own = ctx.session.own_team
    return own if own is not None and own.team == team else None


def _show(ctx: Context, team: OwnTeam) -> None:
    ctx.change(own_team=team)
    ctx.replies.append(teams.owned(ctx.view, team))
