"""Everything that is kept of one account, as one archive: GDPR's rights of access and portability (art. 15, 20)."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from typing import Any, Final

from jobs.services import House
from jobs.storage import schema as t
from jobs.storage.blobs import NotKept

SEALED: Final = frozenset({"sealed", "lookup", "account_id"})
TABLES: Final = (t.consents, t.photos, t.identities, t.orders, t.sittings, t.portraits, t.audit)


async def export(house: House, account: int) -> bytes:
    """Return a ZIP with `account.json` and every file under its own name; raises Gone."""
    async with house.ledger.read() as page:
        about = await page.account_of(account)
        kept: dict[str, Any] = {table.name: await page.rows_of(table, account) for table in TABLES}
        kept["addresses"] = [
            {"platform": a.platform, "user": a.user, "chat": a.chat} for a in await page.addresses(account)
        ]
        platforms = {a["platform"] for a in kept["addresses"]}
        kept["conversations"] = {name: (await page.conversation(account, name))[0] for name in sorted(platforms)}
        kept["account"] = {"token": about.token, "language": about.language, "keep_days": about.keep_days}
    rows = {name: [_plain(row) for row in part] if isinstance(part, list) else part for name, part in kept.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # in memory: nothing in the clear on a disk
        archive.writestr("account.json", json.dumps(rows, indent=1, ensure_ascii=False))
        for photo in kept["photos"]:
            with suppress(NotKept):
                archive.writestr(photo["name"], await house.shelf.get(account, photo["name"]))
        for part in (*kept["sittings"], *kept["identities"]):
            async for filed, data in house.shelf.files_in(account, part["folder"]):
                archive.writestr(filed.name, data)
    return out.getvalue()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in SEALED}
