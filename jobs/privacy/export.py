"""Everything that is kept of one account, as archives: GDPR's rights of access and portability (art. 15, 20).

Files are read one at a time and an archive is handed over as soon as it is full: no more than one is ever in memory,
and nothing in the clear on a disk.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any, Final

from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.blobs import BlobMissing

SEALED: Final = frozenset({"sealed", "lookup", "account_id"})
TABLES: Final = (t.consents, t.photos, t.identities, t.jobs, t.sittings, t.portraits, t.audit, t.teams, t.team_members)
ENTRY_BYTES: Final = 1024  # of an archive, for one file: two headers with its name, at most


async def archives(services: Services, account: int, most_bytes: int) -> AsyncIterator[bytes]:
    """Give ZIP files of at most `most_bytes`: `account.json`, then every file under its own name; raises Gone.

    A file that does not fit into one archive is cut into `NAME.part1`, `NAME.part2` ...
    """
    room = most_bytes - ENTRY_BYTES
    out, held = io.BytesIO(), 0
    async for name, data in _files(services, account):
        pieces = [data[i : i + room] for i in range(0, len(data), room)] or [b""]
        for number, piece in enumerate(pieces, 1):
            if held and held + len(piece) + ENTRY_BYTES > most_bytes:
                yield out.getvalue()
                out, held = io.BytesIO(), 0
            with zipfile.ZipFile(out, "a", zipfile.ZIP_STORED) as archive:
                archive.writestr(name if len(pieces) == 1 else f"{name}.part{number}", piece)
            held += len(piece) + ENTRY_BYTES
    yield out.getvalue()


async def _files(services: Services, account: int) -> AsyncIterator[tuple[str, bytes]]:
    """Give what is kept, one file after another; what is deleted meanwhile is left out."""
    async with services.database.read() as tx:
        about = await tx.account_of(account)
        kept: dict[str, Any] = {table.name: await tx.rows_of(table, account) for table in TABLES}
        kept["addresses"] = [
            {"platform": a.platform, "user": a.user, "chat": a.chat} for a in await tx.addresses(account)
        ]
        platforms = {a["platform"] for a in kept["addresses"]}
        kept["conversations"] = {name: (await tx.conversation(account, name))[0] for name in sorted(platforms)}
        kept["reports"] = [report.text for report in await tx.reports() if report.account == account]
        kept["account"] = {"token": about.token, "language": about.language, "keep_days": about.keep_days}
    rows = {
        name: [_plain(row) for row in part] if isinstance(part, list) and name != "reports" else part
        for name, part in kept.items()
    }
    yield "account.json", json.dumps(rows, indent=1, ensure_ascii=False).encode()
    for photo in kept["photos"]:
        try:
            yield photo["name"], await services.blob_store.get(account, photo["name"])
        except BlobMissing:
            continue
    for part in (*kept["sittings"], *kept["identities"]):
        async for stored, data in services.blob_store.files_in(account, part["folder"]):
            yield stored.name, data


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in SEALED}
