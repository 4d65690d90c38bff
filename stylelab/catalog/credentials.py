"""Content Credentials (C2PA): a picture's provenance signed with a certificate. Needs the extra ``c2pa``.

What ``provenance`` writes finds mistakes; a signature also says who vouches for it, since it covers every byte of the
file, XMP included, and nobody else has the key. It holds a random name, so two runs give different bytes: sign what is
about to leave the house, after it was sealed. ``provenance.verify`` then notes that metadata changed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files, samples
from ..errors import SettingsError
from . import xmp

# Nothing is fetched: neither a manifest that a stranger's file points to, nor the state of a certificate.
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


@dataclass(frozen=True)
class Signature:
    """The signature in a picture file.

    Attributes:
        state: "Trusted": whole, by a certificate from a list of trust; "Valid": whole, by any other certificate, as one
            made by oneself; "Invalid": the file or the signature was changed.
        signer: the certificate's organization, or "".
        source_type: IPTC's term that was signed, or "".
    """

    state: str
    signer: str
    source_type: str


def sign(path: str | Path, certificates: str | Path, key: str | Path, algorithm: str = "es256") -> Path:
    """Signs a sealed picture in place: all of it or nothing.

    Args:
        path: a picture that declares its source type, as ``provenance.seal`` writes it.
        certificates: PEM file, the signer's certificate first, then those above it.
        key: PEM file (PKCS 8) of the private key.
        algorithm: "es256", "es384", "es512", "ps256", "ps384", "ps512" or "ed25519", as the key has it.
    Raises:
        SettingsError: the extra is missing, the picture declares nothing, or certificate and key do not serve.
        ImageError: a file that cannot be read or written.
    """
    c2pa, path = _library(), Path(path)
    chain, secret = (_read(file) for file in (certificates, key))
    term = xmp.declared(path).source_type
    if term is None:
        raise SettingsError(f"{path} declares no source type that could be signed: seal it first.")
    manifest = {
        "claim_generator_info": [{"name": "StyleLab", "version": samples.version()}],
        "title": path.name,
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": f"{xmp.IPTC}{term}"}]},
            }
        ],
    }
    with files.explained(f"{path} cannot be written"), files.temporary(path) as unfinished:
        signed = unfinished.with_name(f"{unfinished.name}{path.suffix}")  # by its suffix the library knows the format
        try:
            info = c2pa.C2paSignerInfo(alg=algorithm, sign_cert=chain, private_key=secret, ta_url=None)
            with c2pa.Signer.from_info(info) as signer, _context(c2pa) as context:
                c2pa.Builder(json.dumps(manifest), context=context).sign_file(path, signed, signer)
            signed.replace(path)
        except c2pa.C2paError as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise SettingsError(f"{path} cannot be signed: {reason}; check certificate and key.") from error
        finally:
            signed.unlink(missing_ok=True)
    return path


def signature(path: str | Path) -> Signature | None:
    """The signature in a file, checked against its bytes without any network; None when there is none.

    Raises:
        SettingsError: the extra is missing.
        ImageError: the file cannot be read.
    """
    c2pa = _library()
    with files.explained(f"{path} cannot be read"):
        Path(path).open("rb").close()
    try:
        with _context(c2pa) as context, c2pa.Reader(path, context=context) as reader:
            state, manifest = str(reader.get_validation_state()), reader.get_active_manifest() or {}
    except c2pa.C2paError as error:
        if isinstance(error, c2pa.C2paError.ManifestNotFound | c2pa.C2paError.NotSupported):
            return None
        return Signature("Invalid", "", "")
    signer = (manifest.get("signature_info") or {}).get("issuer") or ""
    actions = [
        action
        for assertion in manifest.get("assertions", ())
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", ())
    ]
    terms = [str(action["digitalSourceType"]) for action in actions if "digitalSourceType" in action]
    return Signature(state, signer, terms[0].removeprefix(xmp.IPTC) if terms else "")


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        advice = "install the extra c2pa (pip install -e '.[c2pa]')"
        raise SettingsError(f"Signing needs the package c2pa-python: {advice}.") from None
    return c2pa


def _context(c2pa: Any) -> Any:
    return c2pa.Context(c2pa.Settings.from_dict(_OFFLINE))


def _read(file: str | Path) -> bytes:
    with files.explained(f"{file} cannot be read"):
        return Path(file).read_bytes()
