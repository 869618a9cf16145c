"""The engine's `encryptionsalt`, made ahead from the sandbox's passphrase so that the engine never writes one itself.

Format of Pulumi's passphrase provider (pkg/secrets/passphrase, sdk config/crypt.go): PBKDF2-HMAC-SHA256 with 1,000,000
rounds gives an AES-256-GCM key; `v1:<salt>:v1:<nonce>:<the word "pulumi" encrypted>`, all base64.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROUNDS = 1_000_000


def encryption_salt(passphrase: str) -> str:
    """A fresh salt line for a passphrase. Takes about a third of a second by design."""
    salt, nonce = secrets.token_bytes(8), secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)
    proof = AESGCM(key).encrypt(nonce, b"pulumi", None)
    return f"v1:{_text(salt)}:v1:{_text(nonce)}:{_text(proof)}"


def _text(content: bytes) -> str:
    return b64encode(content).decode()
