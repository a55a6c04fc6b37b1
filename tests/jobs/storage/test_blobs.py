"""The shelf and the vault: one contract for a folder and for S3, and nothing readable in either."""

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from houses import S3Server, a_house, on_s3, s3_server
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from jobs.settings import SettingsWrong
from jobs.storage import schema as t
from jobs.storage.accounts import Gone
from jobs.storage.blobs import MANIFEST, NotKept, Shelf, ShelfDown, ShelfFull, open_shelf
from jobs.storage.database import Ledger, open_ledger
from jobs.storage.keys import Torn, Vault, open_vault, signed_by

__all__ = ["on_s3", "s3_server"]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await open_ledger(a_house(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture(params=["folder", "s3"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, ledger: Ledger) -> Shelf:
    if request.param == "folder":
        return open_shelf(a_house(tmp_path), ledger)
    request.getfixturevalue("on_s3")
    return open_shelf(a_house(tmp_path, shelf_url="s3://shelf/pictures"), ledger)


async def someone(ledger: Ledger, user: str = "1") -> int:
    async with ledger.write() as page:
        return (await page.account("telegram", user, user)).id


async def test_a_file_comes_back_as_it_was_put_and_only_to_its_owner(shelf: Shelf, ledger: Ledger) -> None:
    one, two = await someone(ledger), await someone(ledger, "2")
    big = os.urandom(7_000_000)  # more than one part of a multipart upload
    assert (await shelf.put(one, "photos/1", big)).size == len(big)
    await shelf.put(one, "photos/2", b"")
    assert await shelf.get(one, "photos/1") == big
    assert await shelf.get(one, "photos/2") == b""
    with pytest.raises(NotKept):
        await shelf.get(two, "photos/1")
    await shelf.put(one, "photos/1", b"newer")
    assert await shelf.get(one, "photos/1") == b"newer"


async def test_deleting_is_done_once_and_asked_as_often_as_one_likes(shelf: Shelf, ledger: Ledger) -> None:
    who = await someone(ledger)
    await shelf.put(who, "photos/1", b"x")
    await shelf.delete(who, ["photos/1", "photos/2"])
    await shelf.delete(who, ["photos/1"])
    with pytest.raises(NotKept):
        await shelf.get(who, "photos/1")


async def test_a_folder_comes_back_whole_and_what_was_kept_before_is_not_sent_again(
    shelf: Shelf, ledger: Ledger, tmp_path: Path
) -> None:
    who = await someone(ledger)
    folder = tmp_path / "out"
    (folder / "layers" / "p1").mkdir(parents=True)
    (folder / "p1.jpg").write_bytes(b"picture")
    (folder / "layers" / "p1" / "sitter.png").write_bytes(b"layer")
    (folder / ".p2.jpg.draft").write_bytes(b"half a pic")
    known: dict[str, str] = {}
    await shelf.put_folder(who, folder, "shoots/7", known)
    assert set(known) == {"p1.jpg", "layers/p1/sitter.png"}
    (folder / MANIFEST).write_bytes(b"{}")
    filed = await shelf.put_folder(who, folder, "shoots/7", known)
    assert filed[-1].name == "shoots/7/manifest.json"
    got = await shelf.get_folder(who, "shoots/7", tmp_path / "back")
    assert got == known
    assert (tmp_path / "back" / "layers" / "p1" / "sitter.png").read_bytes() == b"layer"
    assert await shelf.get_folder(who, "shoots/8", tmp_path / "none") == {}
    assert await shelf.delete_folder(who, "shoots/7") == 3
    assert await shelf.get_folder(who, "shoots/7", tmp_path / "none") == {}


async def test_deleting_an_account_s_files_leaves_everybody_else_s(shelf: Shelf, ledger: Ledger) -> None:
    one, two = await someone(ledger, "11"), await someone(ledger, "12")
    for who in (one, two):
        for name in ("photos/1", "shoots/1/p.jpg", "shoots/1/layers/p/sitter.png"):
            await shelf.put(who, name, b"x")
    async with ledger.read() as page:
        token = (await page.account_of(one)).token
    assert await shelf.delete_account(token) == 3
    assert await shelf.delete_account(token) == 0
    assert await shelf.get(two, "photos/1") == b"x"


async def test_an_account_that_is_being_forgotten_is_shut_at_once(shelf: Shelf, ledger: Ledger) -> None:
    who = await someone(ledger)
    await shelf.put(who, "photos/1", b"x")
    async with ledger.write() as page:
        await page.c.execute(update(t.accounts).values(forgetting_at=time.time()))
    for call in (shelf.put(who, "photos/2", b"x"), shelf.get(who, "photos/1")):
        with pytest.raises(Gone):
            await call


async def test_a_folder_on_disk_tells_neither_what_nor_whose(tmp_path: Path, ledger: Ledger) -> None:
    shelf = open_shelf(a_house(tmp_path), ledger)
    who = await someone(ledger, "555")
    await shelf.put(who, "photos/grace.jpg", b"\xff\xd8 a face " * 100)
    (file,) = [f for f in (tmp_path / "shelf").rglob("*") if f.is_file()]
    assert b"face" not in file.read_bytes()
    assert "grace" not in str(file.relative_to(tmp_path / "shelf"))
    assert oct((tmp_path / "shelf").stat().st_mode & 0o777) == "0o700"


async def test_a_file_that_was_changed_or_changed_places_is_noticed(tmp_path: Path, ledger: Ledger) -> None:
    shelf = open_shelf(a_house(tmp_path), ledger)
    who = await someone(ledger)
    await shelf.put(who, "photos/1", b"one")
    (one,) = [f for f in (tmp_path / "shelf").rglob("*") if f.is_file()]
    await shelf.put(who, "photos/2", b"two")
    (two,) = [f for f in (tmp_path / "shelf").rglob("*") if f.is_file() and f != one]
    sealed = one.read_bytes()
    one.write_bytes(two.read_bytes())
    with pytest.raises(Torn):
        await shelf.get(who, "photos/1")
    for at in (0, len(sealed) // 2, len(sealed) - 1):
        one.write_bytes(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        with pytest.raises(Torn):
            await shelf.get(who, "photos/1")


@pytest.mark.parametrize("name", ["../x", "photos/../../x", "/etc/passwd", "photos/" + "x" * 500])
async def test_no_name_leads_out_of_the_shelf(tmp_path: Path, ledger: Ledger, name: str) -> None:
    shelf = open_shelf(a_house(tmp_path), ledger)
    who = await someone(ledger)
    await shelf.put(who, name, b"x")
    inside = [f for f in (tmp_path / "shelf" / "a").rglob("*") if f.is_file()]
    assert len(inside) == 1
    assert await shelf.get(who, name) == b"x"


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
    small_disk: Path, tmp_path: Path, ledger: Ledger
) -> None:
    shelf = open_shelf(a_house(tmp_path, shelf_url=f"file://{small_disk}"), ledger)
    who = await someone(ledger)
    await shelf.put(who, "photos/1", b"x" * 100_000)
    with pytest.raises(ShelfFull):
        await shelf.put(who, "photos/2", b"x" * 400_000)
    with pytest.raises(NotKept):
        await shelf.get(who, "photos/2")
    assert await shelf.get(who, "photos/1") == b"x" * 100_000
    await shelf.delete(who, ["photos/1"])
    await shelf.put(who, "photos/2", b"y" * 100_000)


async def test_an_s3_that_is_away_is_told_from_a_file_that_is_not_there(
    on_s3: S3Server, tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.storage.blobs.RETRY_FOR_S", 1)
    shelf = open_shelf(a_house(tmp_path, shelf_url="s3://shelf/x"), ledger)
    who = await someone(ledger)
    on_s3.stop()
    with pytest.raises(ShelfDown):
        await shelf.put(who, "photos/1", b"x")
    with pytest.raises(ShelfDown):
        await shelf.ping()
    on_s3.start()
    await shelf.put(who, "photos/1", b"x")
    assert await shelf.get(who, "photos/1") == b"x"


def test_the_master_key_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    first = open_vault(a_house(tmp_path))
    assert oct((tmp_path / "master.key").stat().st_mode & 0o777) == "0o600"
    assert open_vault(a_house(tmp_path)).public_key == first.public_key
    assert open_vault(a_house(tmp_path / "other")).public_key != first.public_key
    given_key = a_house(tmp_path, master_key=(tmp_path / "master.key").read_text())
    assert open_vault(given_key).public_key == first.public_key
    with pytest.raises(SettingsWrong, match="32 bytes"):
        open_vault(a_house(tmp_path, master_key="short"))


def test_another_master_key_opens_nothing() -> None:
    wrapped = Vault(b"1" * 32).new_key("token")
    with pytest.raises(Torn):
        Vault(b"2" * 32).unwrap("token", wrapped)
    with pytest.raises(Torn):
        Vault(b"1" * 32).unwrap("someone else", wrapped)


@given(st.binary(max_size=300), st.text(max_size=20), st.integers(0, 10_000))
def test_what_is_sealed_opens_for_its_purpose_alone(data: bytes, purpose: str, at: int) -> None:
    vault = Vault(b"1" * 32)
    key = vault.unwrap("t", vault.new_key("t"))
    sealed = key.seal(data, purpose)
    assert key.open(sealed, purpose) == data
    assert key.seal(data, purpose) != sealed
    with pytest.raises(Torn):
        key.open(sealed, purpose + "x")
    with pytest.raises(Torn):
        key.open(sealed[: at % len(sealed)], purpose)


def test_a_signature_fits_its_body_and_no_other() -> None:
    vault = Vault(b"1" * 32)
    body = json.dumps({"deleted": 3}).encode()
    signature = vault.sign(body)
    assert signed_by(vault.public_key, body, signature)
    assert not signed_by(vault.public_key, body + b" ", signature)
    assert not signed_by(Vault(b"2" * 32).public_key, body, signature)
    assert not signed_by("junk", body, signature)
