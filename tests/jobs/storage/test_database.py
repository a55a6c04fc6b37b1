"""The ledger and the order book, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from houses import a_house, database, postgres, ready_sqlite, shoot
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select, text

from core.errors import AtelierError
from jobs.kinds import orders
from jobs.queue import events
from jobs.queue.job_status import sign_in, underway, where
from jobs.settings import Settings
from jobs.storage import job_store
from jobs.storage import schema as t
from jobs.storage.accounts import Conflict, Gone, Page
from jobs.storage.database import Ledger, open_ledger
from jobs.storage.job_store import Declined, Ticket

__all__ = ["database", "postgres", "ready_sqlite"]


@pytest.fixture
def limits(tmp_path: Path, database: str | None) -> Settings:
    return a_house(tmp_path, **({"database_url": database} if database else {}))


@pytest.fixture
async def ledger(limits: Settings) -> AsyncIterator[Ledger]:
    opened = await open_ledger(limits)
    yield opened
    await opened.close()


async def someone(page: Page, user: str = "1") -> int:
    return (await page.account("telegram", user, f"chat{user}")).id


async def placed(page: Page, account: int, ref: str, limits: Settings, order: orders.Order | None = None) -> int:
    ticket = await job_store.place(page, account, order or shoot(), ref, "telegram", limits)
    assert isinstance(ticket, Ticket)
    return ticket.order


async def state(page: Page, order: int) -> str:
    standing = await where(page, order)
    assert standing is not None
    return standing.state


async def test_the_migrations_make_exactly_the_tables_that_the_code_uses(ledger: Ledger) -> None:
    async with ledger.engine.connect() as c:
        assert await c.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), t.metadata)) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_several_processes_may_bring_an_empty_database_up_to_date_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = {}
    if kind == "postgresql":
        url = {"database_url": await request.getfixturevalue("postgres").new_database(empty=True)}
    opened = await asyncio.gather(*(open_ledger(a_house(tmp_path, **url)) for _ in range(3)))
    for one in opened:
        async with one.read() as page:
            assert (await page.c.execute(select(t.accounts))).all() == []
        await one.close()


async def test_a_ledger_that_a_newer_version_wrote_is_left_alone(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        await page.c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AtelierError, match="version 9999"):
        await open_ledger(limits)


async def test_a_person_is_found_again_and_nobody_else_is(ledger: Ledger) -> None:
    async with ledger.write() as page:
        first = await page.account("telegram", "42", "42")
        assert await page.account("telegram", "42", "42") == first
        assert (await page.account("discord", "42", "42")).id != first.id
        assert [(a.platform, a.user, a.chat) for a in await page.addresses(first.id)] == [("telegram", "42", "42")]


async def test_a_person_who_writes_twice_at_once_gets_one_account(ledger: Ledger) -> None:
    async def arrive() -> int:
        async with ledger.write() as page:
            return await someone(page, "7")

    assert len(set(await asyncio.gather(*(arrive() for _ in range(5))))) == 1


async def test_chat_addresses_and_conversations_cannot_be_read_without_the_account_s_key(ledger: Ledger) -> None:
    async with ledger.write() as page:
        account = await someone(page, "987654321")
        await page.save_conversation(account, "telegram", "I am Grace", 0)
        await page.remember_message(account, "telegram", "card", '["987654321", 5]')
        everything = ""
        for table in t.metadata.sorted_tables:
            everything += repr((await page.c.execute(select(table))).all())
    assert "987654321" not in everything
    assert "Grace" not in everything


async def test_an_update_counts_once_and_not_at_all_when_its_effect_fails(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with ledger.write() as page:
            assert await page.first_seen("telegram", "100")
            _ = 1 / 0
    async with ledger.write() as page:
        assert await page.first_seen("telegram", "100")
        assert not await page.first_seen("telegram", "100")
        assert await page.first_seen("discord", "100")


async def test_what_runs_after_the_commit_does_not_run_when_it_fails(ledger: Ledger) -> None:
    ran: list[str] = []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with ledger.write() as page:
            page.after.append(lambda: ran.append("failed"))
            _ = 1 / 0
    async with ledger.write() as page:
        page.after.append(lambda: ran.append("committed"))
        assert ran == []
    assert ran == ["committed"]


async def test_of_two_devices_that_save_a_conversation_at_once_one_is_told_to_read_again(ledger: Ledger) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        assert await page.conversation(account, "telegram") == ("", 0)
        assert await page.save_conversation(account, "telegram", "a", 0) == 1
        with pytest.raises(Conflict):
            await page.save_conversation(account, "telegram", "b", 0)
        assert await page.save_conversation(account, "telegram", "b", 1) == 2
        with pytest.raises(Conflict):
            await page.save_conversation(account, "telegram", "c", 1)
        assert await page.conversation(account, "telegram") == ("b", 2)


async def test_consent_is_recorded_once_and_a_shorter_promise_holds_for_older_photos(ledger: Ledger) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        assert (await page.account_of(account)).consent == 0
        await page.consent(account, 1, 30)
        await page.consent(account, 1, 30)
        await page.add_photo(account, "photos/1", "00", 1)
        await page.consent(account, 1, 1)
        assert (await page.account_of(account)).consent == 1
        rows = (await page.c.execute(select(t.consents))).all()
        assert len(rows) == 1
        photo = (await page.c.execute(select(t.photos))).one()
        assert photo.expires_at - photo.created_at == pytest.approx(86_400)
        await page.withdraw_consent(account)
        assert (await page.account_of(account)).consent == 0


async def test_a_block_outlives_the_account(ledger: Ledger) -> None:
    async with ledger.write() as page:
        account = await someone(page, "5")
        await page.block("telegram", "5")
        assert (await page.account_of(account)).blocked
        await page.c.execute(t.accounts.delete())
        with pytest.raises(Gone):
            await page.account_of(account)
        again = await someone(page, "5")
        assert again != account
        assert (await page.account_of(again)).blocked
        await page.block("telegram", "5", blocked=False)
        assert not (await page.account_of(again)).blocked


async def test_the_newest_message_of_a_card_is_the_one_to_edit(ledger: Ledger) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        for message in ("1", "2"):
            await page.remember_message(account, "telegram", "card", message)
        assert await page.message(account, "telegram", "card") == "2"
        assert await page.message(account, "telegram", "other") is None
        assert await page.messages(account, "telegram") == ["1", "2"]


async def test_the_same_order_twice_is_one_order(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        account, other = await someone(page), await someone(page, "2")
        first = await job_store.place(page, account, shoot(), "go:1", "telegram", limits)
        again = await job_store.place(page, account, shoot(), "go:1", "telegram", limits)
        theirs = await job_store.place(page, other, shoot(), "go:1", "telegram", limits)
        assert isinstance(first, Ticket)
        assert isinstance(again, Ticket)
        assert (first.fresh, again.fresh, again.order) == (True, False, first.order)
        assert isinstance(theirs, Ticket)
        assert theirs.order != first.order
        assert len((await page.c.execute(select(t.outbox))).all()) == 2


async def test_the_same_order_sent_twice_at_once_is_one_order(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        account = await someone(page)

    async def tap() -> int:
        async with ledger.write() as page:
            return await placed(page, account, "go:1", limits)

    assert len(set(await asyncio.gather(*(tap() for _ in range(8))))) == 1


async def test_orders_beyond_a_limit_are_declined_and_leave_nothing(ledger: Ledger, limits: Settings) -> None:
    tight = limits.model_copy(update={"studio_per_account": 2, "queue_depth": 3})
    async with ledger.write() as page:
        one, two = await someone(page), await someone(page, "2")
        for ref in ("a", "b"):
            await placed(page, one, ref, tight)
        assert await job_store.place(page, one, shoot(), "c", "telegram", tight) == Declined("too_many", 2)
        await placed(page, two, "a", tight)
        assert await job_store.place(page, two, shoot(), "b", "telegram", tight) == Declined("queue_full", 3)
        assert len((await page.c.execute(select(t.orders))).all()) == 3


async def test_orders_that_break_their_rules_are_refused_before_anything_is_written(
    ledger: Ledger, limits: Settings
) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        for wrong in (shoot(count=0), shoot(photos=("../x",)), orders.Look("")):
            with pytest.raises(ValidationError):
                await job_store.place(page, account, wrong, "x", "telegram", limits)
        with pytest.raises(ValueError, match="64 is the limit"):
            await job_store.place(
                page, account, shoot(count=16, styles=("a", "b", "c", "d", "e")), "x", "telegram", limits
            )
        assert (await page.c.execute(select(t.orders))).all() == []


async def test_who_asks_for_much_waits_behind_who_asks_for_little_and_nobody_for_ever(
    ledger: Ledger, limits: Settings
) -> None:
    many = limits.model_copy(update={"studio_per_account": 100})
    async with ledger.write() as page:
        greedy, modest = await someone(page), await someone(page, "2")
        theirs = [await placed(page, greedy, f"g{n}", many, shoot(count=4)) for n in range(10)]
        late = await placed(page, modest, "m", many, shoot(count=4))
        line = (await page.c.execute(select(t.orders.c.id).order_by(t.orders.c.turn, t.orders.c.id))).scalars().all()
        assert line.index(late) == 1
        for order in (theirs[0], late):
            await job_store.claim(page, order, 1, "w")
        # newcomers keep coming; the greedy one's second order still has its turn after a bounded number of them
        for n in range(20):
            await placed(page, await someone(page, f"n{n}"), "x", many, shoot(count=4))
        line = (
            (
                await page.c.execute(
                    select(t.orders.c.id).where(t.orders.c.state == "queued").order_by(t.orders.c.turn, t.orders.c.id)
                )
            )
            .scalars()
            .all()
        )
        newcomer = await placed(page, await someone(page, "last"), "x", many, shoot(count=4))
        for order in line[:21]:
            await job_store.claim(page, order, 1, "w")
        after = await placed(page, await someone(page, "after"), "x", many, shoot(count=4))
        turns = dict((await page.c.execute(select(t.orders.c.id, t.orders.c.turn))).all())
        assert turns[theirs[1]] <= turns[after]
        assert turns[newcomer] <= turns[after]


async def test_of_many_workers_one_gets_the_order(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        order = await placed(page, await someone(page), "a", limits)

    async def grab(n: int) -> bool:
        async with ledger.write() as page:
            return await job_store.claim(page, order, 1, f"w{n}") is not None

    assert sum(await asyncio.gather(*(grab(n) for n in range(10)))) == 1


async def test_every_step_is_for_the_attempt_that_holds_the_order(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        order = await placed(page, await someone(page), "a", limits)
        claimed = await job_store.claim(page, order, 1, "w1")
        assert claimed is not None
        assert await job_store.release(page, order, 1)
        assert await job_store.claim(page, order, 1, "w1") is None
        again = await job_store.claim(page, order, 2, "w2")
        assert again is not None
        assert await job_store.beat(page, order, 1, events.Step()) == "lost"
        assert await job_store.finish(page, claimed, [], {}) is None
        assert not await job_store.fail(page, order, 1, events.Failed("fault"))
        assert not await job_store.stopped(page, order, 1)
        assert not await job_store.release(page, order, 1)
        assert await job_store.claim(page, order, 1, "w1") is None
        assert await job_store.beat(page, order, 2, events.Step("draw", 1, 4)) == "go on"
        assert await job_store.finish(page, again, [], {}) is not None
        assert await job_store.finish(page, again, [], {}) is None
        posted = (await page.c.execute(select(t.outbox.c.word))).scalars().all()
        assert posted == ["done"]


async def test_cancelling_is_asked_once_whatever_the_order_is_doing(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        account, other = await someone(page), await someone(page, "2")
        waiting, running, over = [await placed(page, account, ref, limits) for ref in "abc"]
        assert await job_store.cancel(page, other, waiting) == "unknown"
        assert await job_store.cancel(page, account, waiting) == "cancelled"
        assert await job_store.cancel(page, account, waiting) == "cancelled"
        assert await job_store.claim(page, waiting, 1, "w") is None
        await job_store.claim(page, running, 1, "w")
        assert await job_store.cancel(page, account, running) == "stopping"
        assert await job_store.cancel(page, account, running) == "stopping"
        assert await job_store.beat(page, running, 1, events.Step()) == "cancel"
        assert await job_store.stopped(page, running, 1)
        claimed = await job_store.claim(page, over, 1, "w")
        assert claimed is not None
        await job_store.finish(page, claimed, [], {})
        assert await job_store.cancel(page, account, over) == "too_late"
        told = select(t.outbox.c.order_id, t.outbox.c.word).order_by(t.outbox.c.order_id)
        assert (await page.c.execute(told)).all() == [(waiting, "cancelled"), (running, "cancelled"), (over, "done")]


async def test_only_an_order_whose_heart_stands_still_is_taken_back(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        order = await placed(page, await someone(page), "a", limits)
        await job_store.claim(page, order, 1, "w")
        (held,) = await job_store.held(page)
        await job_store.beat(page, order, 1, events.Step())
        assert await job_store.take_back(page, held.order, held.attempt, 4, still_at=held.beat) == "alive"
        (held,) = await job_store.held(page)
        assert await job_store.take_back(page, held.order, held.attempt, 4, still_at=held.beat) == "queued"
        assert await job_store.take_back(page, held.order, held.attempt, 4, still_at=held.beat) == "alive"
        assert await job_store.claim(page, order, 2, "w2") is not None


async def test_an_order_that_was_cancelled_is_not_begun_again_when_its_worker_dies(
    ledger: Ledger, limits: Settings
) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        order = await placed(page, account, "a", limits)
        await job_store.claim(page, order, 1, "w")
        await job_store.cancel(page, account, order)
        (held,) = await job_store.held(page)
        assert await job_store.take_back(page, held.order, held.attempt, 4, still_at=held.beat) == "cancelled"
        assert await state(page, order) == "cancelled"


async def test_an_order_that_kills_workers_at_one_step_is_given_up_and_one_that_gets_further_is_not(
    ledger: Ledger, limits: Settings
) -> None:
    async def die(page: Page, order: int, attempt: int, step: int) -> str:
        await job_store.claim(page, order, attempt, "w")
        await job_store.beat(page, order, attempt, events.Step("draw", step, 9))
        return await job_store.take_back(page, order, attempt, 3)

    async with ledger.write() as page:
        account = await someone(page)
        poison, slow = [await placed(page, account, ref, limits) for ref in "ab"]
        assert [await die(page, poison, n, 4) for n in (1, 2, 3)] == ["queued", "queued", "failed"]
        assert {await die(page, slow, n, n) for n in range(1, 9)} == {"queued"}


async def test_place_and_eta_are_of_the_fair_line_and_measured(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        people = [await someone(page, str(n)) for n in range(3)]
        first, second, third = [await placed(page, who, "a", limits, shoot(count=4)) for who in people]
        standing = await where(page, third)
        assert standing is not None
        assert standing.news == events.Queued(3, None)
        await sign_in(page, "w", "studio", 1)
        claimed = await job_store.claim(page, first, 1, "w")
        assert claimed is not None
        await job_store.finish(page, claimed, [], {})
        await page.c.execute(
            t.orders.update().where(t.orders.c.id == first).values(finished_at=t.orders.c.started_at + 40)
        )
        for order, place in ((second, 1), (third, 2)):
            standing = await where(page, order)
            assert standing is not None
            assert standing.news == events.Queued(place, pytest.approx(40.0 * place))
        assert [s.order for s in await underway(page, "telegram")] == [second, third]


async def test_an_edit_hangs_below_its_parent_and_a_deleted_parent_takes_it_along(
    ledger: Ledger, limits: Settings
) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        drawing = await job_store.claim(page, await placed(page, account, "a", limits), 1, "w")
        assert drawing is not None
        done = await job_store.finish(
            page, drawing, [job_store.Drawn("shoots/1/p1.jpg", "founder", {})], {"folder": "shoots/1"}
        )
        assert done is not None
        root = done.portraits[0].id
        edit = orders.Enhance(root, ("light=soft",))
        editing = await job_store.claim(page, await placed(page, account, "b", limits, edit), 1, "w")
        assert editing is not None
        drawn = job_store.Drawn("shoots/1/e2.jpg", "founder", {"tweaks": ["light=soft"]}, root)
        done = await job_store.finish(page, editing, [drawn], {})
        assert done is not None
        assert done.portraits[0].parent == root
        await page.c.execute(text("DELETE FROM sittings"))
        assert await page.portraits(account) == []


async def test_a_deleted_account_takes_all_its_rows_along(ledger: Ledger, limits: Settings) -> None:
    async with ledger.write() as page:
        account = await someone(page)
        await page.consent(account, 1, 30)
        await page.add_photo(account, "photos/1", "00", 1)
        await page.save_conversation(account, "telegram", "x", 0)
        await placed(page, account, "a", limits)
        await page.c.execute(t.accounts.delete())
        left = {tb.name for tb in t.metadata.sorted_tables if (await page.c.execute(select(tb))).first()}
        assert left == set()


words = st.text("abcz09", min_size=1, max_size=8)
any_order = st.one_of(
    st.builds(orders.Look, words),
    st.builds(
        orders.Shoot,
        st.lists(words, min_size=1, max_size=5).map(tuple),
        st.lists(words, min_size=1, max_size=3).map(tuple),
        st.none() | words,
        st.integers(1, 16),
        st.integers(0, 2**31 - 1),
        st.booleans(),
        st.lists(st.tuples(words, words), max_size=3).map(tuple),
    ),
    st.builds(orders.Enhance, st.integers(1, 2**53), st.lists(words, min_size=1, max_size=4).map(tuple)),
)


@given(any_order)
def test_orders_survive_json(order: orders.Order) -> None:
    assert orders.from_json(orders.kind_of(order), orders.to_json(order)) == order


@given(st.sampled_from(sorted(orders.KINDS)), st.text() | st.recursive(st.none() | st.integers(), st.lists).map(repr))
def test_what_is_not_an_order_is_refused_and_never_half_read(kind: str, junk: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's error is one
        orders.from_json(kind, junk)


async def test_a_write_that_is_cancelled_at_any_moment_leaves_no_lock_behind(ledger: Ledger) -> None:
    async with ledger.write() as page:
        account = await someone(page)

    async def write(language: str) -> None:
        async with ledger.write() as page:
            await page.set_language(account, language)
            await page.account_of(account)

    for moment in range(40):
        task = asyncio.create_task(write("es"))
        await asyncio.sleep(moment * 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5):
            await write("en")
