"""An export: everything that is kept of a person, readable."""

import io
import json
import random
import tracemalloc
import zipfile

from jobs.privacy.export import archives
from jobs.services import Services
from tests.live_services import person, send_photo, working
from tests.lives import lived


async def test_an_export_holds_everything_that_is_kept_readable(services: Services) -> None:
    async with working(services):
        account = await lived(services, "4242")
    async with services.database.write() as tx:
        await tx.add_report(account, "the third one is not me")
    (whole,) = [data async for data in archives(services, account, 10**9)]
    archive = zipfile.ZipFile(io.BytesIO(whole))
    about = json.loads(archive.read("account.json"))
    assert about["addresses"] == [{"platform": "telegram", "user": "4242", "chat": "4242"}]
    assert about["conversations"] == {"telegram": "talk of 4242"}
    assert archive.read("photos/0") == b"photo 0 of 4242"
    assert {"shoots/1/founder-00.jpg", "shoots/1/e2.jpg", "shoots/1/manifest.json"} <= set(archive.namelist())
    assert about["reports"] == ["the third one is not me"]


async def test_an_export_larger_than_a_file_may_be_comes_in_archives_that_each_open(services: Services) -> None:
    """And what is in memory at a time is a few copies of one archive, not the whole."""
    someone = await person(services, photos=0)
    photos = {f"photos/{n}": random.Random(n).randbytes(300_000) for n in range(12)}
    for name, data in photos.items():
        await send_photo(services, someone.id, name, data)
    cut = {
        f"{name}.part{i}": data[a:b]
        for name, data in photos.items()
        for i, a, b in ((1, 0, 248_976), (2, 248_976, None))
    }
    found: set[str] = set()
    first = [len(archive) async for archive in archives(services, someone.id, 250_000)]  # what is cached is cached now
    tracemalloc.start()
    async for archive in archives(services, someone.id, 250_000):
        assert len(archive) <= 250_000
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            assert all(opened.read(name) == cut[name] for name in opened.namelist() if name != "account.json")
            found |= set(opened.namelist())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == {"account.json", *cut}
    assert len(first) > 12
    assert peak < 8 * 250_000 < sum(map(len, photos.values()))
