"""Keys: one for each account, wrapped by a master key. Forgetting an account is destroying its key.

AES-256-GCM with a random 96-bit nonce in front of the ciphertext (NIST SP 800-38D); what a thing is for
goes in as associated data, so that one account's bytes or one file's bytes cannot be passed off as
another's. Names that must be found without being readable (a chat user id, a file's place in the blob store)
are HMAC-SHA256. Receipts are signed with Ed25519. All of it from `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import AtelierError
from jobs.settings import Settings, SettingsWrong

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class DataIntegrityError(AtelierError):
    """Sealed bytes are not what was sealed: changed, cut short, or sealed for something else."""


class Keyring:
    """The master key at work. Holds no account's key longer than a call."""

    def __init__(self, master: bytes) -> None:
        self._wrapping = AESGCM(_derived(master, b"wrap account keys"))
        self._finding = _derived(master, b"find without reading")
        self._signing = Ed25519PrivateKey.from_private_bytes(_derived(master, b"sign receipts"))

    def new_key(self, token: str) -> bytes:
        """Make an account's key and return it wrapped for that account's token."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, os.urandom(KEY_BYTES), token.encode())

    def unwrap(self, token: str, wrapped: bytes) -> AccountKey:
        """Return the account's key; raises DataIntegrityError when the master key is another one."""
        try:
            return AccountKey(self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], token.encode()))
        except InvalidTag:
            raise DataIntegrityError("an account's key was wrapped by another master key, or is damaged") from None

    def blind(self, *parts: str) -> str:
        """Return 64 hex digits that stand for the parts and cannot be turned back without the master key."""
        return hmac.new(self._finding, "\0".join(parts).encode(), hashlib.sha256).hexdigest()

    def sign(self, body: bytes) -> str:
        """Return the Ed25519 signature of body, base64."""
        return base64.b64encode(self._signing.sign(body)).decode()

    @property
    def public_key(self) -> str:
        """The key that receipts are checked with, base64 of its 32 bytes."""
        raw = self._signing.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(raw).decode()


class AccountKey:
    """One account's key at work."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._naming = _derived(key, b"name files")

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Encrypt data for a purpose, which must be given again to open it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt what `seal` made; raises DataIntegrityError on anything else."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError):
            raise DataIntegrityError(f"{len(sealed)} sealed bytes are damaged or not for {purpose}") from None

    def place(self, name: str) -> str:
        """Return the opaque word a file of that name is kept under."""
        return hmac.new(self._naming, name.encode(), hashlib.sha256).hexdigest()


def signed_by(public_key: str, body: bytes, signature: str) -> bool:
    """Say whether a receipt's body carries the signature of that public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), body)
    except (InvalidSignature, ValueError):
        return False
    return True


def open_keyring(settings: Settings) -> Keyring:
    """Return the keyring of `ATELIER_MASTER_KEY`, or of `data/master.key`, made on first use with mode 600."""
    if settings.master_key is not None:
        return Keyring(_decoded(settings.master_key.get_secret_value()))
    file = settings.data / "master.key"
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        _create(file, secrets.token_hex(KEY_BYTES))
    return Keyring(_decoded(file.read_text(encoding="ascii").strip()))


def _create(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all, and never over another one."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass  # another process was faster: its key is the key
    finally:
        draft.unlink()


def _decoded(text: str) -> bytes:
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsWrong([f"ATELIER_MASTER_KEY: needs {KEY_BYTES} bytes as hex or base64"])
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869): one master key, a separate key for every purpose."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"atelier/1 " + purpose).derive(key)
