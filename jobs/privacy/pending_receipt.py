"""Where a receipt must go when the process that deletes an account is killed before it could tell.

Nothing else of a person outlives their deletion: chat, language and the numbers of our own messages, sealed under a
key of their own, from the moment of the wish until the receipt is in the chat; after `KEPT_S` the sweep strikes it out.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import delete, insert, select

from jobs.storage import schema as t
from jobs.storage.accounts import DAY_S, Page

KEPT_S: Final = 2 * DAY_S  # as long as Telegram lets a bot take its own messages away
_WRAPPED_BYTES: Final = 60  # of `jobs.storage.keys.Vault.new_key`: nonce 12, key 32, tag 16


@dataclass(frozen=True, slots=True)
class Farewell:
    """Whom to tell that they are forgotten. mark: of the conversation's buttons; handles: of our messages in it."""

    account: int
    chat: str
    language: str
    mark: str
    handles: tuple[str, ...]


async def promise(page: Page, platform: str, farewell: Farewell) -> None:
    """Note whom to tell; once is enough."""
    if any(known.account == farewell.account for known in await promised(page, platform)):
        return
    token = f"farewell {farewell.account}"
    wrapped = page.vault.new_key(token)
    sealed = page.vault.unwrap(token, wrapped).seal(json.dumps(asdict(farewell)).encode(), token)
    await page.c.execute(
        insert(t.farewells).values(
            account=farewell.account, platform=platform, sealed=wrapped + sealed, created_at=time.time()
        )
    )


async def promised(page: Page, platform: str) -> list[Farewell]:
    """Return who is still to be told on a platform."""
    f = t.farewells.c
    rows = await page.c.execute(select(t.farewells).where(f.platform == platform, f.created_at > time.time() - KEPT_S))
    found = []
    for row in rows:
        token = f"farewell {row.account}"
        key = page.vault.unwrap(token, row.sealed[:_WRAPPED_BYTES])
        facts = json.loads(key.open(row.sealed[_WRAPPED_BYTES:], token))
        found.append(Farewell(**facts | {"handles": tuple(facts["handles"])}))
    return found


async def keep(page: Page, account: int) -> None:
    """Strike out a promise that is kept."""
    await page.c.execute(delete(t.farewells).where(t.farewells.c.account == account))


async def strike_out_old(page: Page, now: float) -> int:
    """Strike out every promise that could not be kept for `KEPT_S` by now; return how many."""
    return (await page.c.execute(delete(t.farewells).where(t.farewells.c.created_at <= now - KEPT_S))).rowcount
