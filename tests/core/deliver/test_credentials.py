"""Content Credentials: signed with the operator's certificate and read back, or not there at all."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from core.deliver import credentials
from core.deliver.files import AI_MARK, encode, encode_plain
from core.errors import AtelierError
from core.types import Recipe

PICTURE = encode_plain(np.random.default_rng(0).integers(0, 255, (160, 128, 3), np.uint8))


def _certificate(key: ec.EllipticCurvePrivateKey, signed_by: ec.EllipticCurvePrivateKey, authority: bool) -> bytes:
    """Make a certificate by a local authority of our own: the authority's, or one that may sign documents."""
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    who = {True: "Test authority", False: "Test signer"}
    name, issuer = (
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, w), x509.NameAttribute(NameOID.COMMON_NAME, w)])
        for w in (who[authority], who[True])
    )
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    made = (
        x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()), critical=False)
    )
    if not authority:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return made.sign(signed_by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (tmp_path / "chain.pem").write_bytes(_certificate(own, root, False) + _certificate(root, root, True))
    (tmp_path / "key.pem").write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    monkeypatch.setenv("ATELIER_C2PA_CERT", str(tmp_path / "chain.pem"))
    monkeypatch.setenv("ATELIER_C2PA_KEY", str(tmp_path / "key.pem"))
    found = credentials.operators_certificate()
    assert found is not None
    return found


def _read(picture: bytes) -> dict[str, Any]:
    with c2pa.Reader("image/jpeg", io.BytesIO(picture)) as reader:
        return dict(json.loads(reader.json()))


def test_a_signed_picture_says_what_made_it_and_keeps_its_pixels(certificate: tuple[bytes, bytes]) -> None:
    signed = credentials.sign(PICTURE, "image/jpeg", AI_MARK, certificate)
    told = _read(signed)
    assert told["validation_state"] == "Valid"
    assert [fault["code"] for fault in told["validation_status"]] == ["signingCredential.untrusted"]
    manifest = told["manifests"][told["active_manifest"]]
    actions = [a["data"]["actions"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    assert actions == [[{"action": "c2pa.created", "digitalSourceType": AI_MARK}]]
    assert manifest["signature_info"]["common_name"] == "Test signer"
    before, after = (np.asarray(Image.open(io.BytesIO(data))) for data in (PICTURE, signed))
    assert np.array_equal(before, after)
    assert len(signed) - len(PICTURE) < 40_000


def test_a_changed_byte_breaks_the_signature(certificate: tuple[bytes, bytes]) -> None:
    changed = bytearray(credentials.sign(PICTURE, "image/jpeg", AI_MARK, certificate))
    changed[-500] ^= 1
    assert _read(bytes(changed))["validation_state"] == "Invalid"


def test_what_is_no_certificate_is_refused_with_a_reason(certificate: tuple[bytes, bytes]) -> None:
    with pytest.raises(AtelierError, match="ATELIER_C2PA_CERT cannot sign"):
        credentials.sign(PICTURE, "image/jpeg", AI_MARK, (b"no certificate", certificate[1]))


def test_half_a_setting_is_told_and_none_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_C2PA_CERT", raising=False)
    monkeypatch.delenv("ATELIER_C2PA_KEY", raising=False)
    assert credentials.operators_certificate() is None
    monkeypatch.setenv("ATELIER_C2PA_CERT", "chain.pem")
    with pytest.raises(AtelierError, match="one is set"):
        credentials.operators_certificate()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_deliveries_are_signed_only_where_a_certificate_is_set(
    suffix: str, certificate: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb, recipe = np.full((160, 128, 3), 90, np.uint8), Recipe("office", "job", "0", 1, "embedded", 512, 640)
    with c2pa.Reader(f"image/{suffix[1:].replace('jpg', 'jpeg')}", io.BytesIO(encode(rgb, suffix, recipe))) as reader:
        assert json.loads(reader.json())["validation_state"] == "Valid"
    monkeypatch.delenv("ATELIER_C2PA_CERT")
    monkeypatch.delenv("ATELIER_C2PA_KEY")
    plain = encode(rgb, suffix, recipe)
    assert plain == encode(rgb, suffix, recipe)
    assert b"c2pa" not in plain
