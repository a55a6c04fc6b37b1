"""Everything that is kept of one account, as one archive: GDPR's rights of access and portability (art. 15, 20)."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from typing import Any, Final

from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.blobs import BlobMissing

SEALED: Final = frozenset({"sealed", "lookup", "account_id"})
TABLES: Final = (t.consents, t.photos, t.identities, t.jobs, t.sittings, t.portraits, t.audit)


async def export(services: Services, account: int) -> bytes:
    """Return a ZIP with `account.json` and every file under its own name; raises Gone."""
    async with services.database.read() as tx:
        about = await tx.account_of(account)
        kept: dict[str, Any] = {table.name: await tx.rows_of(table, account) for table in TABLES}
        kept["addresses"] = [
            {"platform": a.platform, "user": a.user, "chat": a.chat} for a in await tx.addresses(account)
        ]
        platforms = {a["platform"] for a in kept["addresses"]}
        kept["conversations"] = {name: (await tx.conversation(account, name))[0] for name in sorted(platforms)}
        kept["account"] = {"token": about.token, "language": about.language, "keep_days": about.keep_days}
    rows = {name: [_plain(row) for row in part] if isinstance(part, list) else part for name, part in kept.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # in memory: nothing in the clear on a disk
        archive.writestr("account.json", json.dumps(rows, indent=1, ensure_ascii=False))
        for photo in kept["photos"]:
            with suppress(BlobMissing):
                archive.writestr(photo["name"], await services.blob_store.get(account, photo["name"]))
        for part in (*kept["sittings"], *kept["identities"]):
            async for filed, data in services.blob_store.files_in(account, part["folder"]):
                archive.writestr(filed.name, data)
    return out.getvalue()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in SEALED}
