"""What people leave behind, for the tests of forgetting, expiring and exporting."""

from sqlalchemy import select

from jobs.kinds.enhance import Enhance
from jobs.services import Services
from jobs.storage import schema as t
from tests.live_services import person, shoot, state_of, until

SECRET = b"a face that must not be found again"


async def lived(services: Services, user: str) -> int:
    """A person who agreed, talked, sent a photo and got a gallery and an edit."""
    someone = await person(services, user)
    async with services.database.write() as tx:
        await tx.save_conversation(someone.id, "telegram", f"talk of {user}", 0)
        await tx.remember_message(someone.id, "telegram", "card", f'["{user}", 1]')
        placed = await services.job_queue.place(someone.id, shoot(), "go", "telegram", tx)
    await until_done(services, placed.job_id)  # type: ignore[union-attr]
    async with services.database.read() as tx:
        first = (await tx.portraits(someone.id))[0].id
    placed = await services.job_queue.place(someone.id, Enhance(first, ("light=soft",)), "edit", "telegram")
    await until_done(services, placed.job_id)  # type: ignore[union-attr]
    return someone.id


async def until_done(services: Services, job_id: int) -> None:
    async def done() -> bool:
        return await state_of(services, job_id) == "done"

    await until(done)


async def rows(services: Services, *but: str) -> int:
    async with services.database.read() as tx:
        tables = [table for table in t.metadata.sorted_tables if table.name not in but]
        return sum([len((await tx.c.execute(select(table))).all()) for table in tables])
