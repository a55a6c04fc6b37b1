"""The blob store and the keyring: one contract for a folder and for S3, and nothing readable in either."""

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from jobs.settings import SettingsWrong
from jobs.storage import schema as t
from jobs.storage.base import Gone
from jobs.storage.blobs import MANIFEST, BlobMissing, BlobStore, BlobStoreDown, BlobStoreFull, open_blob_store
from jobs.storage.database import Database, open_database
from jobs.storage.keys import DataIntegrityError, Keyring, open_keyring, signed_by
from tests.live_servers import S3Server
from tests.live_services import make_settings


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(make_settings(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture(params=["folder", "s3"])
def blob_store(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> BlobStore:
    if request.param == "folder":
        return open_blob_store(make_settings(tmp_path), database)
    request.getfixturevalue("on_s3")
    return open_blob_store(make_settings(tmp_path, shelf_url="s3://shelf/pictures"), database)


async def someone(database: Database, user: str = "1") -> int:
    async with database.write() as tx:
        return (await tx.account("telegram", user, user)).id


async def test_a_file_comes_back_as_it_was_put_and_only_to_its_owner(blob_store: BlobStore, database: Database) -> None:
    one, two = await someone(database), await someone(database, "2")
    big = os.urandom(7_000_000)  # more than one part of a multipart upload
    assert (await blob_store.put(one, "photos/1", big)).size == len(big)
    await blob_store.put(one, "photos/2", b"")
    assert await blob_store.get(one, "photos/1") == big
    assert await blob_store.get(one, "photos/2") == b""
    with pytest.raises(BlobMissing):
        await blob_store.get(two, "photos/1")
    await blob_store.put(one, "photos/1", b"newer")
    assert await blob_store.get(one, "photos/1") == b"newer"


async def test_deleting_is_done_once_and_asked_as_often_as_one_likes(blob_store: BlobStore, database: Database) -> None:
    who = await someone(database)
    await blob_store.put(who, "photos/1", b"x")
    await blob_store.delete(who, ["photos/1", "photos/2"])
    await blob_store.delete(who, ["photos/1"])
    with pytest.raises(BlobMissing):
        await blob_store.get(who, "photos/1")


async def test_a_folder_comes_back_whole_and_what_was_kept_before_is_not_sent_again(
    blob_store: BlobStore, database: Database, tmp_path: Path
) -> None:
    who = await someone(database)
    folder = tmp_path / "out"
    (folder / "layers" / "p1").mkdir(parents=True)
    (folder / "p1.jpg").write_bytes(b"picture")
    (folder / "layers" / "p1" / "sitter.png").write_bytes(b"layer")
    (folder / ".p2.jpg.draft").write_bytes(b"half a pic")
    known: dict[str, str] = {}
    await blob_store.put_folder(who, folder, "shoots/7", known)
    assert set(known) == {"p1.jpg", "layers/p1/sitter.png"}
    (folder / MANIFEST).write_bytes(b"{}")
    filed = await blob_store.put_folder(who, folder, "shoots/7", known)
    assert filed[-1].name == "shoots/7/manifest.json"
    got = await blob_store.get_folder(who, "shoots/7", tmp_path / "back")
    assert got == known
    assert (tmp_path / "back" / "layers" / "p1" / "sitter.png").read_bytes() == b"layer"
    assert await blob_store.get_folder(who, "shoots/8", tmp_path / "none") == {}
    assert await blob_store.delete_folder(who, "shoots/7") == 3
    assert await blob_store.get_folder(who, "shoots/7", tmp_path / "none") == {}


async def test_a_file_that_goes_while_its_folder_is_read_is_left_out_and_a_folder_is_whole_or_not_there(
    blob_store: BlobStore, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await someone(database)
    names = [f"shoots/7/{n}" for n in range(3)]

    async def read_and_deleted() -> list[str]:
        for name in names:
            await blob_store.put(who, name, b"x")
        found = []
        async for blob, _ in blob_store.files_in(who, "shoots/7"):
            found.append(blob.name)
            await blob_store.delete(who, [name for name in names if name not in found])
        return found

    assert len(await read_and_deleted()) == 1
    listed = blob_store._places

    async def deleted_meanwhile(prefix: str) -> AsyncIterator[str]:
        async for place in listed(prefix):
            await blob_store.delete(who, names)
            yield place

    monkeypatch.setattr(blob_store, "_places", deleted_meanwhile)
    await blob_store.put(who, names[0], b"x")
    with pytest.raises(BlobMissing):
        await blob_store.get_folder(who, "shoots/7", tmp_path / "back")


async def test_deleting_an_account_s_files_leaves_everybody_else_s(blob_store: BlobStore, database: Database) -> None:
    one, two = await someone(database, "11"), await someone(database, "12")
    for who in (one, two):
        for name in ("photos/1", "shoots/1/p.jpg", "shoots/1/layers/p/sitter.png"):
            await blob_store.put(who, name, b"x")
    async with database.read() as tx:
        token = (await tx.account_of(one)).token
    assert await blob_store.delete_account(token) == 3
    assert await blob_store.delete_account(token) == 0
    assert await blob_store.get(two, "photos/1") == b"x"


async def test_an_account_that_is_being_forgotten_is_shut_at_once(blob_store: BlobStore, database: Database) -> None:
    who = await someone(database)
    await blob_store.put(who, "photos/1", b"x")
    async with database.write() as tx:
        await tx.c.execute(update(t.accounts).values(forgetting_at=time.time()))
    for call in (blob_store.put(who, "photos/2", b"x"), blob_store.get(who, "photos/1")):
        with pytest.raises(Gone):
            await call


async def test_a_folder_on_disk_tells_neither_what_nor_whose(tmp_path: Path, database: Database) -> None:
    blob_store = open_blob_store(make_settings(tmp_path), database)
    who = await someone(database, "555")
    await blob_store.put(who, "photos/grace.jpg", b"\xff\xd8 a face " * 100)
    (file,) = [f for f in (tmp_path / "shelf").rglob("*") if f.is_file()]
    assert b"face" not in file.read_bytes()
    assert "grace" not in str(file.relative_to(tmp_path / "shelf"))
    assert oct((tmp_path / "shelf").stat().st_mode & 0o777) == "0o700"


async def test_a_file_that_was_changed_or_changed_places_is_noticed(tmp_path: Path, database: Database) -> None:
    blob_store = open_blob_store(make_settings(tmp_path), database)
    who = await someone(database)
    await blob_store.put(who, "photos/1", b"one")
    (one,) = [f for f in (tmp_path / "shelf").rglob("*") if f.is_file()]
    await blob_store.put(who, "photos/2", b"two")
    (two,) = [f for f in (tmp_path / "shelf").rglob("*") if f.is_file() and f != one]
    sealed = one.read_bytes()
    one.write_bytes(two.read_bytes())
    with pytest.raises(DataIntegrityError):
        await blob_store.get(who, "photos/1")
    for at in (0, len(sealed) // 2, len(sealed) - 1):
        one.write_bytes(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        with pytest.raises(DataIntegrityError):
            await blob_store.get(who, "photos/1")


@pytest.mark.parametrize("name", ["../x", "photos/../../x", "/etc/passwd", "photos/" + "x" * 500])
async def test_no_name_leads_out_of_the_shelf(tmp_path: Path, database: Database, name: str) -> None:
    blob_store = open_blob_store(make_settings(tmp_path), database)
    who = await someone(database)
    await blob_store.put(who, name, b"x")
    inside = [f for f in (tmp_path / "shelf" / "a").rglob("*") if f.is_file()]
    assert len(inside) == 1
    assert await blob_store.get(who, name) == b"x"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield small
    subprocess.run(["umount", str(small)], check=True)


async def test_a_full_disk_is_told_from_other_trouble_and_leaves_no_half_file(
    small_disk: Path, tmp_path: Path, database: Database
) -> None:
    blob_store = open_blob_store(make_settings(tmp_path, shelf_url=f"file://{small_disk}"), database)
    who = await someone(database)
    await blob_store.put(who, "photos/1", b"x" * 100_000)
    with pytest.raises(BlobStoreFull):
        await blob_store.put(who, "photos/2", b"x" * 400_000)
    with pytest.raises(BlobMissing):
        await blob_store.get(who, "photos/2")
    assert await blob_store.get(who, "photos/1") == b"x" * 100_000
    await blob_store.delete(who, ["photos/1"])
    await blob_store.put(who, "photos/2", b"y" * 100_000)


async def test_an_s3_that_is_away_is_told_from_a_file_that_is_not_there(
    on_s3: S3Server, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.storage.blobs.RETRY_FOR_S", 1)
    blob_store = open_blob_store(make_settings(tmp_path, shelf_url="s3://shelf/x"), database)
    who = await someone(database)
    on_s3.stop()
    with pytest.raises(BlobStoreDown):
        await blob_store.put(who, "photos/1", b"x")
    with pytest.raises(BlobStoreDown):
        await blob_store.ping()
    on_s3.start()
    await blob_store.put(who, "photos/1", b"x")
    assert await blob_store.get(who, "photos/1") == b"x"


def test_the_master_key_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    first = open_keyring(make_settings(tmp_path))
    assert oct((tmp_path / "master.key").stat().st_mode & 0o777) == "0o600"
    assert open_keyring(make_settings(tmp_path)).public_key == first.public_key
    assert open_keyring(make_settings(tmp_path / "other")).public_key != first.public_key
    given_key = make_settings(tmp_path, master_key=(tmp_path / "master.key").read_text())
    assert open_keyring(given_key).public_key == first.public_key
    with pytest.raises(SettingsWrong, match="32 bytes"):
        open_keyring(make_settings(tmp_path, master_key="short"))


def test_another_master_key_opens_nothing() -> None:
    wrapped = Keyring(b"1" * 32).new_key("token")
    with pytest.raises(DataIntegrityError):
        Keyring(b"2" * 32).unwrap("token", wrapped)
    with pytest.raises(DataIntegrityError):
        Keyring(b"1" * 32).unwrap("someone else", wrapped)


@given(st.binary(max_size=300), st.text(max_size=20), st.integers(0, 10_000))
def test_what_is_sealed_opens_for_its_purpose_alone(data: bytes, purpose: str, at: int) -> None:
    keyring = Keyring(b"1" * 32)
    key = keyring.unwrap("t", keyring.new_key("t"))
    sealed = key.seal(data, purpose)
    assert key.open(sealed, purpose) == data
    assert key.seal(data, purpose) != sealed
    with pytest.raises(DataIntegrityError):
        key.open(sealed, purpose + "x")
    with pytest.raises(DataIntegrityError):
        key.open(sealed[: at % len(sealed)], purpose)


def test_a_signature_fits_its_body_and_no_other() -> None:
    keyring = Keyring(b"1" * 32)
    body = json.dumps({"deleted": 3}).encode()
    signature = keyring.sign(body)
    assert signed_by(keyring.public_key, body, signature)
    assert not signed_by(keyring.public_key, body + b" ", signature)
    assert not signed_by(Keyring(b"2" * 32).public_key, body, signature)
    assert not signed_by("junk", body, signature)
