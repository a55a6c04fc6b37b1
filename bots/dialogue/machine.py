"""THE DIALOGUE: what happens when. One handler an event, no I/O.

Theory. A conversation is a `Session` in one of seven states. `advance(session, event, ...)` looks the event up in the
table of `bots.dialogue.rules`, which the files in `bots/dialogue/handlers` fill, and calls its handler. That may move
to one of the states named in the table, answer with replies and ask for effects. An event that is not in the table for
the state is illegal: it changes nothing. A person is then told kindly what is possible now; news of the studio that
nobody waits for is passed over in silence.

Two rules make double presses, old buttons and repeated updates harmless. A button says what shall be, never "toggle".
And everything that starts work carries the number it would get: the second time, that number is taken.

Time comes in as `now` (seconds, UTC), menu and limits as data; the same events give the same session to the byte.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import NamedTuple

from bots.dialogue import handlers
from bots.dialogue.buttons import Press
from bots.dialogue.context import Context
from bots.dialogue.effects import Effect, Reply
from bots.dialogue.events import Event
from bots.dialogue.limits import Limits
from bots.dialogue.menu import Menu
from bots.dialogue.rules import RULES
from bots.dialogue.session import Session, State

for _found in pkgutil.iter_modules(handlers.__path__, f"{handlers.__name__}."):
    import_module(_found.name)


class Step(NamedTuple):
    """What one event led to: the next session, what is shown, what else must be done."""

    session: Session
    replies: tuple[Reply, ...]
    effects: tuple[Effect, ...]


def advance(session: Session, event: Event, now: float, menu: Menu, limits: Limits) -> Step:
    """Handle one event: the next session, what to show, what to do. Pure; never raises for any session and event."""
    rule = RULES[type(event)]
    targets = rule.targets.get(session.state)
    ctx = Context(session, now, menu, limits)
    if targets is None:
        if isinstance(event, Press):
            ctx.toast(f"not_now.{session.state}")
        return Step(session, tuple(ctx.replies), ())
    rule.handler(ctx, event)
    assert ctx.session.state in {session.state, *targets}, f"{type(event).__name__} led to {ctx.session.state}"
    return Step(ctx.session, tuple(ctx.replies), tuple(ctx.effects))


def drawing() -> str:
    """Return the table as a mermaid diagram, so that the documentation cannot be out of date."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for event, rule in RULES.items():
        for state, targets in rule.targets.items():
            for target in targets:
                if target != state:
                    arrows.setdefault((state, target), []).append(event.__name__)
    order = list(State)
    ordered = sorted(arrows.items(), key=lambda item: [order.index(state) for state in item[0]])
    lines = [f"    {a} --> {b}: {', '.join(sorted(names))}" for (a, b), names in ordered]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.WELCOME}", *lines])


if __name__ == "__main__":
    print(drawing())
