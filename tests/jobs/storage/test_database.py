"""The database and the job store, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from live_services import database_url, make_settings, postgres, ready_sqlite, shoot
from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

from core.errors import AtelierError
from jobs.kinds import registry
from jobs.kinds.base import Job
from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.kinds.shoot import Shoot
from jobs.queue import events, job_store
from jobs.queue.job_status import active_jobs, sign_in, status_of
from jobs.queue.job_store import Accepted, Claimed, Declined
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.base import Conflict, Gone
from jobs.storage.database import Database, migrate, open_database
from jobs.storage.keys import open_keyring
from jobs.storage.transaction import Transaction

__all__ = ["database_url", "postgres", "ready_sqlite"]


@pytest.fixture
def limits(tmp_path: Path, database_url: str | None) -> Settings:
    return make_settings(tmp_path, **({"database_url": database_url} if database_url else {}))


@pytest.fixture
async def database(limits: Settings) -> AsyncIterator[Database]:
    opened = await open_database(limits)
    yield opened
    await opened.close()


async def someone(tx: Transaction, user: str = "1") -> int:
    return (await tx.account("telegram", user, f"chat{user}")).id


async def placed(tx: Transaction, account: int, ref: str, limits: Settings, job: Job | None = None) -> int:
    accepted = await job_store.place(tx, account, job or shoot(), ref, "telegram", limits)
    assert isinstance(accepted, Accepted)
    return accepted.job_id


async def state(tx: Transaction, job_id: int) -> str:
    status = await status_of(tx, job_id)
    assert status is not None
    return status.state


async def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    async with database.engine.connect() as c:
        found = await c.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), t.metadata))
    if database.is_sqlite:  # it keeps a constraint's name when table and columns get another; they are still the same
        named = [[tuple(column.name for column in item.columns) for item in part] for part in _constraints(found)]
        assert sorted(named[0]) == sorted(named[1])
        found = [one for one in found if one[0] not in {"remove_constraint", "add_constraint"}]
    assert found == []


def _constraints(found: list[Any]) -> list[list[Any]]:
    return [[one[1] for one in found if one[0] == what] for what in ("remove_constraint", "add_constraint")]


async def test_what_an_earlier_version_wrote_is_there_under_the_new_names(
    tmp_path: Path, request: pytest.FixtureRequest, database_url: str | None
) -> None:
    """A job that waits, its message and a picture, written by the version before the names changed."""
    empty = None if database_url is None else await request.getfixturevalue("postgres").new_database(empty=True)
    limits = make_settings(tmp_path / "old", **({"database_url": empty} if empty else {}))
    limits.data.mkdir(mode=0o700)
    keyring = open_keyring(limits)
    rows = {
        "accounts": {"id": 1, "token": "t", "wrapped_key": keyring.new_key("t"), "keep_days": 30, "created_at": 1.0},
        "orders": {"id": 7, "account_id": 1, "platform": "telegram", "ref": "r", "kind": "look", "queue": "look",
                   "body": '{"photo":"photos/1"}', "units": 1, "turn": 5, "state": "queued", "created_at": 1.0},
        "outbox": {"account_id": 1, "order_id": 7, "queue": "look", "job": "look:7:1", "turn": 5, "word": "work",
                   "body": '{"order": 7, "attempt": 1}', "created_at": 1.0, "sent_at": 2.0},
        "sittings": {"id": 3, "account_id": 1, "order_id": 7, "folder": "f", "facts": "{}", "created_at": 1.0,
                     "expires_at": 2.0},
        "audit": {"account_id": 1, "what": "report", "facts": '{"text": "not me"}', "at": 3.0},
    }  # fmt: skip
    engine = create_async_engine(limits.database)
    async with engine.begin() as c:
        await c.run_sync(lambda sync: migrate(sync, keyring, "0002"))
        for table, row in rows.items():
            values = ", ".join(f":{name}" for name in row)
            await c.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)
    await engine.dispose()
    opened = await open_database(limits)
    async with opened.read() as tx:
        (job,) = await tx.c.execute(select(t.jobs.c.id, t.jobs.c.priority, t.jobs.c.state))
        (message,) = await tx.c.execute(
            select(t.outbox.c.job_id, t.outbox.c.arq_id, t.outbox.c.type, t.outbox.c.sent_at)
        )
        (sitting,) = await tx.c.execute(select(t.sittings.c.job_id))
        (report,) = await tx.reports()
        assert not (await tx.c.execute(select(t.audit))).all(), "it stood there in the clear"
    await opened.close()
    assert tuple(job) == (7, 5, "queued")
    assert tuple(message) == (7, "look:7:1", "work", None), "it is sent again, as the queue knows it by other words"
    assert tuple(sitting) == (7,)
    assert (report.text, report.created_at) == ("not me", 3.0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_several_processes_may_bring_an_empty_database_up_to_date_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = {}
    if kind == "postgresql":
        url = {"database_url": await request.getfixturevalue("postgres").new_database(empty=True)}
    opened = await asyncio.gather(*(open_database(make_settings(tmp_path, **url)) for _ in range(3)))
    for one in opened:
        async with one.read() as tx:
            assert (await tx.c.execute(select(t.accounts))).all() == []
        await one.close()


async def test_a_database_that_a_newer_version_wrote_is_left_alone(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        await tx.c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AtelierError, match="version 9999"):
        await open_database(limits)


async def test_a_person_is_found_again_and_nobody_else_is(database: Database) -> None:
    async with database.write() as tx:
        first = await tx.account("telegram", "42", "42")
        assert await tx.account("telegram", "42", "42") == first
        assert (await tx.account("discord", "42", "42")).id != first.id
        assert [(a.platform, a.user, a.chat) for a in await tx.addresses(first.id)] == [("telegram", "42", "42")]


async def test_a_person_who_writes_twice_at_once_gets_one_account(database: Database) -> None:
    async def arrive() -> int:
        async with database.write() as tx:
            return await someone(tx, "7")

    assert len(set(await asyncio.gather(*(arrive() for _ in range(5))))) == 1


async def test_chat_addresses_and_conversations_cannot_be_read_without_the_account_s_key(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx, "987654321")
        await tx.save_conversation(account, "telegram", "I am Grace", 0)
        await tx.remember_message(account, "telegram", "card", '["987654321", 5]')
        everything = ""
        for table in t.metadata.sorted_tables:
            everything += repr((await tx.c.execute(select(table))).all())
    assert "987654321" not in everything
    assert "Grace" not in everything


async def test_an_update_counts_once_and_not_at_all_when_its_effect_fails(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with database.write() as tx:
            assert await tx.first_seen("telegram", "100")
            _ = 1 / 0
    async with database.write() as tx:
        assert await tx.first_seen("telegram", "100")
        assert not await tx.first_seen("telegram", "100")
        assert await tx.first_seen("discord", "100")


async def test_what_runs_after_the_commit_does_not_run_when_it_fails(database: Database) -> None:
    ran: list[str] = []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with database.write() as tx:
            tx.after.append(lambda: ran.append("failed"))
            _ = 1 / 0
    async with database.write() as tx:
        tx.after.append(lambda: ran.append("committed"))
        assert ran == []
    assert ran == ["committed"]


async def test_of_two_devices_that_save_a_conversation_at_once_one_is_told_to_read_again(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        assert await tx.conversation(account, "telegram") == ("", 0)
        assert await tx.save_conversation(account, "telegram", "a", 0) == 1
        with pytest.raises(Conflict):
            await tx.save_conversation(account, "telegram", "b", 0)
        assert await tx.save_conversation(account, "telegram", "b", 1) == 2
        with pytest.raises(Conflict):
            await tx.save_conversation(account, "telegram", "c", 1)
        assert await tx.conversation(account, "telegram") == ("b", 2)


async def test_consent_is_recorded_once_and_the_newest_promise_holds_for_older_photos(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        assert (await tx.account_of(account)).consent == 0
        await tx.consent(account, 1, 30)
        await tx.consent(account, 1, 30)
        await tx.add_photo(account, "photos/1", "00", 1)
        await tx.consent(account, 1, 1)
        assert (await tx.account_of(account)).consent == 1
        rows = (await tx.c.execute(select(t.consents))).all()
        assert len(rows) == 1
        photo = (await tx.c.execute(select(t.photos))).one()
        assert photo.expires_at - photo.created_at == pytest.approx(86_400)
        await tx.consent(account, 1, 30)
        photo = (await tx.c.execute(select(t.photos))).one()
        assert photo.expires_at - photo.created_at == pytest.approx(30 * 86_400), "kept as long as was chosen last"
        await tx.withdraw_consent(account)
        assert (await tx.account_of(account)).consent == 0


async def test_a_report_is_readable_by_the_operator_alone_and_goes_with_its_account(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        await tx.add_report(account, "the third one is not me")
        (report,) = await tx.reports()
        assert (report.account, report.text) == (account, "the third one is not me")
        stored = [str(tuple(row)) for table in t.metadata.sorted_tables for row in await tx.c.execute(select(table))]
        assert not any("not me" in row for row in stored)
        assert [one.id for one in await tx.reports(unannounced=True)] == [report.id]
        await tx.announced(report.id)
        assert await tx.reports(unannounced=True) == []
        await tx.c.execute(t.accounts.delete().where(t.accounts.c.id == account))
        assert await tx.reports() == []


async def test_a_block_outlives_the_account(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx, "5")
        await tx.block("telegram", "5")
        assert (await tx.account_of(account)).blocked
        await tx.c.execute(t.accounts.delete())
        with pytest.raises(Gone):
            await tx.account_of(account)
        again = await someone(tx, "5")
        assert again != account
        assert (await tx.account_of(again)).blocked
        await tx.block("telegram", "5", blocked=False)
        assert not (await tx.account_of(again)).blocked


async def test_the_newest_message_of_a_card_is_the_one_to_edit(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        for message in ("1", "2"):
            await tx.remember_message(account, "telegram", "card", message)
        assert await tx.message(account, "telegram", "card") == "2"
        assert await tx.message(account, "telegram", "other") is None
        assert await tx.messages(account, "telegram") == ["1", "2"]


async def test_the_same_job_twice_is_one_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account, other = await someone(tx), await someone(tx, "2")
        first = await job_store.place(tx, account, shoot(), "go:1", "telegram", limits)
        again = await job_store.place(tx, account, shoot(), "go:1", "telegram", limits)
        theirs = await job_store.place(tx, other, shoot(), "go:1", "telegram", limits)
        assert isinstance(first, Accepted)
        assert isinstance(again, Accepted)
        assert (first.is_new, again.is_new, again.job_id) == (True, False, first.job_id)
        assert isinstance(theirs, Accepted)
        assert theirs.job_id != first.job_id
        assert len((await tx.c.execute(select(t.outbox))).all()) == 2


async def test_the_same_job_sent_twice_at_once_is_one_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account = await someone(tx)

    async def tap() -> int:
        async with database.write() as tx:
            return await placed(tx, account, "go:1", limits)

    assert len(set(await asyncio.gather(*(tap() for _ in range(8))))) == 1


async def test_jobs_beyond_a_limit_are_declined_and_leave_nothing(database: Database, limits: Settings) -> None:
    tight = limits.model_copy(update={"studio_per_account": 2, "queue_depth": 3})
    async with database.write() as tx:
        one, two = await someone(tx), await someone(tx, "2")
        for ref in ("a", "b"):
            await placed(tx, one, ref, tight)
        assert await job_store.place(tx, one, shoot(), "c", "telegram", tight) == Declined("too_many", 2)
        await placed(tx, two, "a", tight)
        assert await job_store.place(tx, two, shoot(), "b", "telegram", tight) == Declined("queue_full", 3)
        assert len((await tx.c.execute(select(t.jobs))).all()) == 3


async def test_jobs_that_break_their_rules_are_refused_before_anything_is_written(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        for wrong in (shoot(count=0), shoot(photos=("../x",)), Look("")):
            with pytest.raises(ValidationError):
                await job_store.place(tx, account, wrong, "x", "telegram", limits)
        with pytest.raises(ValueError, match="64 is the limit"):
            await job_store.place(
                tx, account, shoot(count=16, styles=("a", "b", "c", "d", "e")), "x", "telegram", limits
            )
        assert (await tx.c.execute(select(t.jobs))).all() == []


async def test_who_asks_for_much_waits_behind_who_asks_for_little_and_nobody_for_ever(
    database: Database, limits: Settings
) -> None:
    many = limits.model_copy(update={"studio_per_account": 100})
    async with database.write() as tx:
        greedy, modest = await someone(tx), await someone(tx, "2")
        theirs = [await placed(tx, greedy, f"g{n}", many, shoot(count=4)) for n in range(10)]
        late = await placed(tx, modest, "m", many, shoot(count=4))
        line = (await tx.c.execute(select(t.jobs.c.id).order_by(t.jobs.c.priority, t.jobs.c.id))).scalars().all()
        assert line.index(late) == 1
        for job_id in (theirs[0], late):
            await job_store.claim(tx, job_id, 1, "w")
        # newcomers keep coming; the greedy one's second order still has its turn after a bounded number of them
        for n in range(20):
            await placed(tx, await someone(tx, f"n{n}"), "x", many, shoot(count=4))
        line = (
            (
                await tx.c.execute(
                    select(t.jobs.c.id).where(t.jobs.c.state == "queued").order_by(t.jobs.c.priority, t.jobs.c.id)
                )
            )
            .scalars()
            .all()
        )
        newcomer = await placed(tx, await someone(tx, "last"), "x", many, shoot(count=4))
        for job_id in line[:21]:
            await job_store.claim(tx, job_id, 1, "w")
        after = await placed(tx, await someone(tx, "after"), "x", many, shoot(count=4))
        turns = dict((await tx.c.execute(select(t.jobs.c.id, t.jobs.c.priority))).all())
        assert turns[theirs[1]] <= turns[after]
        assert turns[newcomer] <= turns[after]


async def test_of_many_workers_one_gets_the_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        job_id = await placed(tx, await someone(tx), "a", limits)

    async def grab(n: int) -> bool:
        async with database.write() as tx:
            return await job_store.claim(tx, job_id, 1, f"w{n}") is not None

    assert sum(await asyncio.gather(*(grab(n) for n in range(10)))) == 1


async def test_looks_of_an_account_are_claimed_one_after_another_and_shoots_side_by_side(
    database: Database, limits: Settings
) -> None:
    async def claims(queue: str) -> int | None:
        async with database.write() as tx:
            claimed = await job_store.claim_next(tx, queue, "w")
            return claimed and claimed.id

    async with database.write() as tx:
        ana, ben = await someone(tx, "ana"), await someone(tx, "ben")
        first, second, third = [await placed(tx, ana, ref, limits, Look("photos/1")) for ref in "abc"]
        bens = await placed(tx, ben, "a", limits, Look("photos/1"))
        shoots = [await placed(tx, ana, ref, limits) for ref in "xy"]
    assert [await claims("look") for _ in range(3)] == [first, bens, None]
    assert [await claims("studio") for _ in range(3)] == [*shoots, None]
    async with database.write() as tx:
        assert await job_store.release(tx, first, 1)
        assert await job_store.cancel(tx, ana, second) == "cancelled"
    assert [await claims("look") for _ in range(2)] == [first, None], "the one given back goes before the next"
    async with database.write() as tx:
        assert await job_store.fail(tx, first, 2, events.Failed("no_face"))
    assert [await claims("look") for _ in range(2)] == [third, None]


async def test_a_look_placed_while_the_one_before_it_ends_is_not_forgotten(
    database: Database, limits: Settings
) -> None:
    """Whichever of the two transactions is first."""
    async with database.write() as tx:
        account = await someone(tx)
        last = await placed(tx, account, "0", limits, Look("photos/1"))
    for n in range(1, 12):
        async with database.write() as tx:
            claimed = await job_store.claim_next(tx, "look", "w")
            assert claimed is not None, f"look {last} waits for ever"

        async def ends(claimed: Claimed = claimed) -> None:
            async with database.write() as tx:
                await job_store.finish(tx, claimed, [], {})

        async def comes(n: int = n) -> int:
            async with database.write() as tx:
                return await placed(tx, account, str(n), limits, Look("photos/1"))

        last, _ = await asyncio.gather(comes(), ends())


async def test_every_step_is_for_the_attempt_that_holds_the_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        job_id = await placed(tx, await someone(tx), "a", limits)
        claimed = await job_store.claim(tx, job_id, 1, "w1")
        assert claimed is not None
        assert await job_store.release(tx, job_id, 1)
        assert await job_store.claim(tx, job_id, 1, "w1") is None
        again = await job_store.claim(tx, job_id, 2, "w2")
        assert again is not None
        assert await job_store.beat(tx, job_id, 1, events.Step()) == "lost"
        assert await job_store.finish(tx, claimed, [], {}) is None
        assert not await job_store.fail(tx, job_id, 1, events.Failed("fault"))
        assert not await job_store.stopped(tx, job_id, 1)
        assert not await job_store.release(tx, job_id, 1)
        assert await job_store.claim(tx, job_id, 1, "w1") is None
        assert await job_store.beat(tx, job_id, 2, events.Step("draw", 1, 4)) == "go on"
        assert await job_store.finish(tx, again, [], {}) is not None
        assert await job_store.finish(tx, again, [], {}) is None
        posted = (await tx.c.execute(select(t.outbox.c.type))).scalars().all()
        assert posted == ["done"]


async def test_cancelling_is_asked_once_whatever_the_job_is_doing(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account, other = await someone(tx), await someone(tx, "2")
        waiting, running, over = [await placed(tx, account, ref, limits) for ref in "abc"]
        assert await job_store.cancel(tx, other, waiting) == "unknown"
        assert await job_store.cancel(tx, account, waiting) == "cancelled"
        assert await job_store.cancel(tx, account, waiting) == "cancelled"
        assert await job_store.claim(tx, waiting, 1, "w") is None
        await job_store.claim(tx, running, 1, "w")
        assert await job_store.cancel(tx, account, running) == "stopping"
        assert await job_store.cancel(tx, account, running) == "stopping"
        assert await job_store.beat(tx, running, 1, events.Step()) == "cancel"
        assert await job_store.stopped(tx, running, 1)
        claimed = await job_store.claim(tx, over, 1, "w")
        assert claimed is not None
        await job_store.finish(tx, claimed, [], {})
        assert await job_store.cancel(tx, account, over) == "too_late"
        told = select(t.outbox.c.job_id, t.outbox.c.type).order_by(t.outbox.c.job_id)
        assert (await tx.c.execute(told)).all() == [(waiting, "cancelled"), (running, "cancelled"), (over, "done")]


async def test_only_a_job_whose_heart_stands_still_is_taken_back(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        job_id = await placed(tx, await someone(tx), "a", limits)
        await job_store.claim(tx, job_id, 1, "w")
        (held,) = await job_store.held(tx)
        await job_store.beat(tx, job_id, 1, events.Step())
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "alive"
        (held,) = await job_store.held(tx)
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "queued"
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "alive"
        assert await job_store.claim(tx, job_id, 2, "w2") is not None


async def test_a_job_that_was_cancelled_is_not_begun_again_when_its_worker_dies(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        job_id = await placed(tx, account, "a", limits)
        await job_store.claim(tx, job_id, 1, "w")
        await job_store.cancel(tx, account, job_id)
        (held,) = await job_store.held(tx)
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "cancelled"
        assert await state(tx, job_id) == "cancelled"


async def test_a_job_that_kills_workers_at_one_step_is_given_up_and_one_that_gets_further_is_not(
    database: Database, limits: Settings
) -> None:
    async def die(tx: Transaction, job_id: int, attempt: int, step: int) -> str:
        await job_store.claim(tx, job_id, attempt, "w")
        await job_store.beat(tx, job_id, attempt, events.Step("draw", step, 9))
        return await job_store.take_back(tx, job_id, attempt, 3)

    async with database.write() as tx:
        account = await someone(tx)
        poison, slow = [await placed(tx, account, ref, limits) for ref in "ab"]
        assert [await die(tx, poison, n, 4) for n in (1, 2, 3)] == ["queued", "queued", "failed"]
        assert {await die(tx, slow, n, n) for n in range(1, 9)} == {"queued"}


async def test_place_and_eta_are_of_the_fair_line_and_measured(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        people = [await someone(tx, str(n)) for n in range(3)]
        first, second, third = [await placed(tx, who, "a", limits, shoot(count=4)) for who in people]
        status = await status_of(tx, third)
        assert status is not None
        assert status.payload == events.Queued(3, None)
        await sign_in(tx, "w", "studio", 1)
        claimed = await job_store.claim(tx, first, 1, "w")
        assert claimed is not None
        await job_store.finish(tx, claimed, [], {})
        await tx.c.execute(t.jobs.update().where(t.jobs.c.id == first).values(finished_at=t.jobs.c.started_at + 40))
        for job_id, place in ((second, 1), (third, 2)):
            status = await status_of(tx, job_id)
            assert status is not None
            assert status.payload == events.Queued(place, pytest.approx(40.0 * place))
        assert [s.job_id for s in await active_jobs(tx, "telegram")] == [second, third]


async def test_an_edit_hangs_below_its_parent_and_a_deleted_parent_takes_it_along(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        drawing = await job_store.claim(tx, await placed(tx, account, "a", limits), 1, "w")
        assert drawing is not None
        done = await job_store.finish(
            tx, drawing, [job_store.Drawn("shoots/1/p1.jpg", "founder", {})], {"folder": "shoots/1"}
        )
        assert done is not None
        root = done.portraits[0].id
        edit = Enhance(root, ("light=soft",))
        editing = await job_store.claim(tx, await placed(tx, account, "b", limits, edit), 1, "w")
        assert editing is not None
        drawn = job_store.Drawn("shoots/1/e2.jpg", "founder", {"tweaks": ["light=soft"]}, root)
        done = await job_store.finish(tx, editing, [drawn], {})
        assert done is not None
        assert done.portraits[0].parent == root
        await tx.c.execute(text("DELETE FROM sittings"))
        assert await tx.portraits(account) == []


async def test_a_deleted_account_takes_all_its_rows_along(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        await tx.consent(account, 1, 30)
        await tx.add_photo(account, "photos/1", "00", 1)
        await tx.save_conversation(account, "telegram", "x", 0)
        await placed(tx, account, "a", limits)
        await tx.c.execute(t.accounts.delete())
        left = {tb.name for tb in t.metadata.sorted_tables if (await tx.c.execute(select(tb))).first()}
        assert left == set()


words = st.text("abcz09", min_size=1, max_size=8)
any_job = st.one_of(
    st.builds(Look, words),
    st.builds(
        Shoot,
        st.lists(words, min_size=1, max_size=5).map(tuple),
        st.lists(words, min_size=1, max_size=3).map(tuple),
        st.none() | words,
        st.integers(1, 16),
        st.integers(0, 2**31 - 1),
        st.booleans(),
        st.lists(st.tuples(words, words), max_size=3).map(tuple),
    ),
    st.builds(Enhance, st.integers(1, 2**53), st.lists(words, min_size=1, max_size=4).map(tuple)),
)


@given(any_job)
def test_jobs_survive_json(job: Job) -> None:
    assert registry.from_json(job.kind, registry.to_json(job)) == job


@given(
    st.sampled_from(sorted(registry.kinds())), st.text() | st.recursive(st.none() | st.integers(), st.lists).map(repr)
)
def test_what_is_not_a_job_is_refused_and_never_half_read(kind: str, junk: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's error is one
        registry.from_json(kind, junk)


async def test_a_write_that_is_cancelled_at_any_moment_leaves_no_lock_behind(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)

    async def write(language: str) -> None:
        async with database.write() as tx:
            await tx.set_language(account, language)
            await tx.account_of(account)

    for moment in range(40):
        task = asyncio.create_task(write("es"))
        await asyncio.sleep(moment * 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5):
            await write("en")
