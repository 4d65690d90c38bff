"""What a picture was made from, said in the file and beside it, and found out again.

``seal`` writes a picture with an XMP packet, its sidecar and its mask; ``verify`` says what of it was changed since.
They belong together by hashes: the sidecar holds those of the picture's pixels, of its mask and of the photo, the
packet in the picture that of the record in the sidecar, and the sidecar one of itself. This finds mistakes, mix-ups and
edits; it does not stop a forger who computes the hashes anew: who has to prove who made a picture signs it, too
(``credentials``).

Two hashes of the picture are kept. That of its *pixels*, as they are seen, decides: when they differ, the picture is
another one. That of the *file* only tells whether its metadata were touched, which shops do on purpose (a caption, a
copyright line): that is a note, as long as the pixels and what the packet declares are the same.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files, images, samples
from ..errors import ImageError, SettingsError, StyleLabError
from . import sidecar as sidecars
from . import xmp

sidecar, hashed, read = sidecars.of, sidecars.hashed, sidecars.read  # so that callers need this module alone

# IPTC's terms (NewsCodes "Digital Source Type", edition of 2024-10-23) for a picture in which generative AI had a part.
AI = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic")
# "Modification or correction by algorithm without changing the main content of the media": a cut-out on white has its
# product as it was captured, and no generative model had a part in it. It is no digitalCapture: its white was not seen.
ALTERED = "algorithmicallyEnhanced"
SOURCE_TYPES = {
    # "Edited using Generative AI": a photo stays, and a network paints around it.
    "scene": "compositeWithTrainedAlgorithmicMedia",
    "backdrop": "compositeWithTrainedAlgorithmicMedia",
    # "Created using Generative AI ... a model trained on captured content": no pixel of the photo is left, so the term
    # that claims less (edited) would be wrong. Google asks for this one by name.
    "whole": "trainedAlgorithmicMedia",
    "clean": ALTERED,
}


@dataclass(frozen=True)
class Verified:
    """What ``verify`` found, one sentence each.

    Attributes:
        failures: what is not as it was sealed; none: the picture is as it was.
        notes: what was changed and does not count.
    """

    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()


def source_type(mode: str, strength: float = 1.0, inherited: str | None = None) -> str:
    """IPTC's term for a picture in a mode, at least as strong as what the photo itself declared.

    Args:
        mode: one of ``SOURCE_TYPES``.
        strength: of the style; at 0 a scene and a whole picture are the photo itself, at another size.
        inherited: what the photo declares: a cut-out of a generated picture stays a generated picture.
    Raises:
        SettingsError: an unknown mode.
    """
    if mode not in SOURCE_TYPES:
        raise SettingsError(f"Mode {mode!r} is not known; choose one of {', '.join(SOURCE_TYPES)}.")
    term = ALTERED if strength == 0 and mode != "backdrop" else SOURCE_TYPES[mode]
    if inherited in AI and (term not in AI or AI.index(inherited) < AI.index(term)):
        return inherited
    return term


def facts(
    output: str | Path,
    *,
    source: str | Path,
    settings: dict[str, Any],
    mask: str | Path | None = None,
    title: str = "",
    sku: str = "",
) -> dict[str, Any]:
    """What is known of a picture before it is written: a sidecar without the hashes of its output.

    Args:
        output: the picture's file to be, of which the name is recorded.
        source: the photo's file.
        settings: how it was made, as JSON has it: "mode" and, where there is a style, "style", "strength", "seed", the
            network as ``hashed`` has it, ...; what differs between two equal runs does not belong here.
        mask: the mask's file; its place relative to the output is recorded.
        title: of the product; of it and of the SKU the first ``xmp.LONGEST`` characters are kept.
        sku: its number in the catalog.
    Raises:
        ImageError: a file that cannot be read, or settings that JSON does not have.
        SettingsError: a mode or strength that does not exist.
    """
    output, strength = Path(output), settings.get("strength", 1.0)
    if isinstance(strength, bool) or not isinstance(strength, int | float):
        raise SettingsError(f"The strength must be a number from 0 to 1, not {strength!r}.")
    content = {
        "digital_source_type": source_type(str(settings.get("mode")), strength, xmp.declared(source).source_type),
        "format": sidecars.FORMAT,
        "input": hashed(source),
        "mask": None,
        "output": {"name": output.name},
        "settings": settings,
        "sku": str(sku)[: xmp.LONGEST],
        "stylelab": samples.version(),
        "title": str(title)[: xmp.LONGEST],
    }
    if mask is not None:
        with files.explained(f"The mask {mask} cannot be recorded"):  # as from another drive
            place = Path(os.path.relpath(mask, output.parent)).as_posix()
        content["mask"] = {"file": place, "pixels_sha256": sidecars.pixels(images.open_picture(mask))}
    if len(sidecars.spelled(content)) > sidecars.LARGEST // 2:  # before any work: could it be written, and read again?
        raise ImageError(f"The settings of {output} are too long to be recorded: leave arrays and long texts out.")
    return content


def seal(
    path: str | Path,
    rgb: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    source: str | Path,
    settings: dict[str, Any],
    mask: np.ndarray | str | Path | None = None,
    title: str = "",
    sku: str = "",
    exif: bytes = b"",
    bits: int = 8,
    quality: int = 95,
) -> Path:
    """Writes a picture with its provenance; its sidecar comes last and so marks that all of it is there.

    Args:
        path, rgb, alpha, exif, bits, quality: as ``images.write`` has them.
        source, settings, title, sku: as ``facts`` has them.
        mask: ``[H, W, 1]`` in 0..1, written as ``<path>.mask.png``; or a file that is there, as one for all pictures of
            a product; None when no mask was used.
    Returns:
        The picture's path.
    Raises:
        ImageError, SettingsError: as ``images.write`` and ``facts``.
    """
    path = images.check_output(path, [source])
    if isinstance(mask, np.ndarray):
        mask = images.write(path.with_name(f"{path.name}.mask.png"), np.repeat(mask, 3, axis=-1))
    content = facts(path, source=source, settings=settings, mask=mask, title=title, sku=sku)
    packet = xmp.packet(
        content["digital_source_type"],
        sidecars.digest(content),
        f"StyleLab {content['stylelab']}",
        title=title,
        identifier=sku,
    )
    images.write(path, rgb, alpha, exif=exif, xmp=packet, bits=bits, quality=quality)
    # What is on the disk counts: JPEG and WebP change the pixels that they are given.
    content["output"] |= {"pixels_sha256": sidecars.pixels(images.open_picture(path)), "sha256": hashed(path)["sha256"]}
    sidecars.write(path, content)
    return path


def verify(path: str | Path, *, source: str | Path | None = None) -> Verified:
    """Whether a picture, its mask and its sidecar are as they were sealed.

    Args:
        path: the picture; its sidecar stands beside it.
        source: the photo that it should have been made from; None: not asked.
    Returns:
        Everything that was found; what cannot be read is a failure, too, so that one bad file stops no other.
    """
    failures: list[str] = []
    notes: list[str] = []
    try:
        picture = images.open_picture(path)
        content = read(path)
        same = sidecars.pixels(picture) == content["output"]["pixels_sha256"]
        if not same:
            failures.append("The pixels are not those that were sealed.")
        failures += _packet_faults(path, content, same)
        failures += _mask_faults(Path(path), content["mask"])
        if source is not None and hashed(source)["sha256"] != content["input"]["sha256"]:
            failures.append(f"It was not made from {source} but from another file, {content['input']['name']}.")
        if not failures and hashed(path)["sha256"] != content["output"]["sha256"]:
            notes.append("Metadata changed, pixels the same: what the file declares of its source is as it was sealed.")
        if Path(path).name != content["output"]["name"]:
            notes.append(f"Its name was {content['output']['name']}.")
    except StyleLabError as error:
        failures.append(str(error))
    return Verified(tuple(failures), tuple(notes))


def _packet_faults(path: str | Path, content: dict[str, Any], same: bool) -> list[str]:
    """What the XMP in the file says otherwise than the sidecar."""
    found, pixels = xmp.declared(path), "; the pixels are the same" if same else ""
    recorded = content | {"output": {"name": content["output"]["name"]}}
    recorded.pop("seal")
    if found.record is None and found.source_type is None:
        return [f"The file has lost its XMP packet and no longer declares what it is{pixels}."]
    if found.source_type != content["digital_source_type"]:
        declares = f"declares the source type {found.source_type}" if found.source_type else "declares no source type"
        return [f"The file's XMP {declares}, and it was sealed as {content['digital_source_type']}{pixels}."]
    if found.record != sidecars.digest(recorded):
        return [f"The file's XMP belongs to another record than this sidecar{pixels}."]
    return []


def _mask_faults(path: Path, mask: dict[str, str] | None) -> list[str]:
    if mask is None:
        return []
    try:
        same = sidecars.pixels(images.open_picture(path.parent / mask["file"])) == mask["pixels_sha256"]
    except ImageError as error:
        return [f"Its mask cannot be checked: {error}"]
    return [] if same else [f"The mask {mask['file']} is not the one that was sealed."]
