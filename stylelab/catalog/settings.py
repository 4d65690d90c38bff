"""What a catalog run is asked for, checked before any work, and the hash of it that decides what is done anew."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import images, samples, stylizers
from ..errors import SettingsError
from . import names
from .product import MODES

ENGINES = ("local", "ray")
# Whose weights a picture depends on; a method of the user's own has none that we know.
NETWORKS = {"fast": ("feedforward",), "any": ("vgg16", "adain"), "adversarial": ("adversarial_style",)}
MASK_NETWORK = "product_mask"


@dataclass(frozen=True)
class Settings:
    """How the pictures of a catalog are made.

    Attributes:
        styles: names of shipped paintings, or picture files; none for the mode ``clean``, which has no style.
        mode: one of ``MODES``.
        formats: suffixes without the dot.
        sizes: long sides in px; none: the photo's own.
        method: a name of ``stylizers.names()``, or a class of your own as ``"module:Class"``.
        strength, seed: the same for every picture, so that all pictures of a SKU have one style. A network for many
            styles paints every photo by one rule. One that takes over the photo's moments (``any``) has the same target
            for all, and reaches it from each photo: colors agree, strokes follow the photo. Strokes have a width in
            px, so they look finer in a larger size.
        workers: processes; None: one for each core, as far as memory goes.
        engine: one of ``ENGINES``.
        allow_urls: whether pictures may be fetched from the web.
        photos: the folder that the catalog's paths begin in; None: the catalog's own.
    """

    styles: tuple[str, ...] = ()
    mode: str = "scene"
    formats: tuple[str, ...] = ("png",)
    sizes: tuple[int, ...] = ()
    method: str = "fast"
    strength: float = 1.0
    seed: int = 0
    workers: int | None = None
    engine: str = "local"
    allow_urls: bool = False
    photos: str | None = None

    def check(self) -> None:
        """Refuses what cannot work, without loading a network.

        Raises:
            SettingsError: an unknown name, a value out of range, or two of one kind.
        """
        _known("mode", self.mode, MODES)
        _known("engine", self.engine, ENGINES)
        known = tuple(suffix.lstrip(".") for suffix in images.SUFFIXES)
        if not self.formats:
            raise SettingsError(f"No format was given: choose from {', '.join(known)}.")
        for one in self.formats:
            _known("format", one, known)
        if ":" not in self.method:
            _known("method", self.method, tuple(stylizers.names()))
        stylizers.check_settings(self.strength, self.seed)
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"A run needs at least one worker, not {self.workers}.")
        for size in self.sizes:
            if not 16 <= size <= 20_000:
                raise SettingsError(f"A size must be from 16 to 20,000 px, not {size}.")
        if self.mode == "clean":
            if self.styles:
                raise SettingsError("The mode 'clean' lays products on plain white: leave the styles away.")
            return
        if not self.styles:
            raise SettingsError("No style was given: name one or more ('stylelab styles' lists them).")
        for style in self.styles:
            if not style.strip():
                raise SettingsError("A style has an empty name: give a painting's name or a file.")
            if not stylizers.is_file(style):
                samples.path(style)
            elif self.method == "fast":
                raise SettingsError(f"The method fast knows the shipped paintings only, not {style}: use any.")
        for kind, values in ("style", self.labels()), ("format", self.formats), ("size", self.sizes):
            if len(set(values)) < len(values):
                raise SettingsError(f"A {kind} is there twice ({', '.join(map(str, values))}): give each once.")

    def labels(self) -> tuple[str, ...]:
        """What the styles are called in file names."""
        if self.mode == "clean":
            return ("clean",)
        plain = (Path(style).stem if stylizers.is_file(style) else Path(style).name for style in self.styles)
        return tuple(map(names.folder, plain))

    def networks(self) -> list[dict[str, str]]:
        """Name and SHA-256 of the weights that a picture depends on, as ``data/manifest.json`` has them."""
        wanted = [*NETWORKS.get(self.method, ()), MASK_NETWORK]
        if self.mode == "clean":
            wanted = [MASK_NETWORK]
        paths = {samples.WEIGHTS[name] for name in wanted if name in samples.WEIGHTS}
        found = {entry["path"]: entry["sha256"] for entry in samples.manifest() if entry["path"] in paths}
        return [{"name": Path(path).name, "sha256": found[path]} for path in sorted(found)]

    def recorded(self) -> dict[str, Any]:
        """What a sidecar says of all pictures of the run; style, size and format are each picture's own."""
        shared: dict[str, Any] = {"mode": self.mode, "networks": self.networks()}
        if self.mode != "clean":
            shared |= {"method": self.method, "strength": self.strength, "seed": self.seed}
        return shared

    def digest(self) -> str:
        """A hash of all that changes a picture: the settings, the weights, the styles' files, the version.

        Raises:
            ImageError: a style's file cannot be read.
        """
        files = [style_file(style) for style in self.styles]
        content = [self.recorded(), self.labels(), files, self.formats, self.sizes, samples.version()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """As JSON has it; ``from_json`` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Settings":
        """From what JSON made of :meth:`as_json`."""
        known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**known)


def style_file(style: str) -> str:
    """SHA-256 of a style's picture."""
    from .provenance import hashed

    return hashed(style if stylizers.is_file(style) else samples.path(style))["sha256"]


def _known(kind: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        raise SettingsError(f"{kind.capitalize()} {value!r} is not known: choose one of {', '.join(values)}.")
