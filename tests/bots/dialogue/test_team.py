"""An owner's team: what is told of it may arrive in any order and twice, and the card shows the newest state."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bots.dialogue import events as e
from bots.dialogue.session import OwnTeam
from tests.conversations import advance, with_photos


@given(st.data())
def test_in_any_order_the_newest_sheet_is_shown_in_the_end_and_none_that_is_known_to_be_outdated(
    data: st.DataObject,
) -> None:
    changed = [e.TeamChanged(1, members=v, released=v % 3, version=v, number=10 * v) for v in range(1, 5)]
    joined = e.TeamChanged(1, members=9, released=4 % 3, version=4, number=45)
    came = [e.TeamSheetCame(1, f"teams/1/{v}.jpg" if v % 3 else "", v, v % 3) for v in range(1, 5)]
    told: list[e.TeamChanged | e.TeamSheetCame] = data.draw(
        st.permutations([*changed, joined, *came, *data.draw(st.lists(st.sampled_from(came)))])
    )
    session = replace(with_photos(), own_team=OwnTeam(1, "c0de", "founder"))
    newest = 0
    for event in told:
        newest = max(newest, event.version)
        session = advance(session, event).session
        assert session.own_team is not None
        assert session.own_team.sheet in {"", f"teams/1/{newest}.jpg"}
    assert session.own_team is not None
    team = session.own_team
    assert (team.sheet, team.shown, team.members, team.version) == ("teams/1/4.jpg", 1, 9, 4)
