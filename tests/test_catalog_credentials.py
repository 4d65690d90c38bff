"""The optional signature (C2PA): what it covers, and what happens without key, certificate or package.

The signing and the checking are c2pa-python's, wrapped; the certificates are made here and expire after a day.
"""

import datetime
import sys
from pathlib import Path

import numpy as np
import pytest

from stylelab import images
from stylelab.catalog import credentials, provenance
from stylelab.errors import ImageError, SettingsError

TERM = "compositeWithTrainedAlgorithmicMedia"
RGB = np.random.default_rng(0).random((16, 24, 3)).astype(np.float32)


def sealed(folder: Path, name: str = "a.png") -> Path:
    photo = images.write(folder / "photo.jpg", RGB)
    return provenance.seal(folder / name, RGB, source=photo, settings={"mode": "scene"}, title="A shoe")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for tests under one of our own making, and its key (C2PA 2.1, section 14.5: what it must have)."""
    pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    made = []
    for number, (name, key) in enumerate(zip(("Test authority", "Test house"), keys, strict=True)):
        authority = number == 0
        names = [
            x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, text)]) for text in (name, "Test authority")
        ]
        others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        usage = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
        builder = (
            x509.CertificateBuilder(names[1], names[0], key.public_key(), number + 1, now - day, now + day)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(
                x509.KeyUsage(not authority, key_cert_sign=authority, crl_sign=authority, **usage), critical=True
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if not authority:
            purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    folder = tmp_path_factory.mktemp("pem")
    (folder / "chain.pem").write_bytes(made[1] + made[0])
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(keys[1].private_bytes(*private))
    return folder / "chain.pem", folder / "key.pem"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_a_signature_covers_the_file(tmp_path, pem, name):
    path = sealed(tmp_path, name)
    assert credentials.signature(path) is None
    credentials.sign(path, *pem)
    assert credentials.signature(path) == credentials.Signature("Valid", "Test house", TERM)
    assert provenance.verify(path).failures == () and provenance.verify(path).notes[0].startswith(
        "Metadata changed, pixels the same"
    )
    assert not list(tmp_path.glob(".stylelab*"))
    data = path.read_bytes()
    title = data.index(b"A shoe")
    path.write_bytes(data[:title] + b"B" + data[title + 1 :])
    assert credentials.signature(path).state == "Invalid"


def test_what_cannot_be_signed_stays_as_it_was(tmp_path, pem):
    path = sealed(tmp_path)
    before = path.read_bytes()
    for certificates, key, algorithm in ((pem[1], pem[1], "es256"), (pem[0], pem[0], "es256"), (*pem, "rot13")):
        with pytest.raises(SettingsError, match="cannot be signed"):
            credentials.sign(path, certificates, key, algorithm)
    with pytest.raises(SettingsError, match="declares no source type"):
        credentials.sign(tmp_path / "photo.jpg", *pem)
    with pytest.raises(ImageError, match="no such file"):
        credentials.sign(path, tmp_path / "missing.pem", pem[1])
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "a.png.json", "photo.jpg"]


def test_without_the_extra_it_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(SettingsError, match=r"install the extra c2pa"):
        credentials.signature(tmp_path / "a.png")
