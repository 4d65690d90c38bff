"""rembg, the optional stronger way to find a product (the extra ``masks``): never a download behind anybody's back."""

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from stylelab import images
from stylelab.errors import SettingsError, WeightsError

MODEL = "isnet-general-use"  # IS-Net (Qin et al. 2022), of rembg's models the one for any kind of thing


def installed() -> bool:
    """Whether rembg is there and its model file too."""
    return importlib.util.find_spec("rembg") is not None and _file() is not None


def mask(rgb: np.ndarray) -> np.ndarray:
    """rembg's mask of a photo.

    Args:
        rgb: float32 ``[H, W, 3]`` in 0..1.
    Returns:
        float32 ``[H, W, 1]`` in 0..1.
    Raises:
        SettingsError: rembg is not installed.
        WeightsError: its model file is not there; it is not downloaded.
    """
    from PIL import Image

    if importlib.util.find_spec("rembg") is None:
        raise SettingsError("The backend 'rembg' is not installed: pip install -e '.[masks]', or take 'grabcut'.")
    file = _file()
    if file is None:
        raise WeightsError(
            f"rembg's model {MODEL}.onnx is not in {_folders()[0]}, and nothing is downloaded unasked: fetch it with "
            f"`rembg d {MODEL}`, or take the backend 'grabcut'."
        )
    import rembg

    found = rembg.remove(Image.fromarray(images.to_uint8(rgb)), session=_session(str(file)), only_mask=True)
    return np.asarray(found.convert("L"), np.float32)[..., None] / 255


@cache
def _session(file: str) -> Any:
    import rembg

    # "dis_custom" is the same network from a given file: the session of the model's own name may download.
    return rembg.new_session("dis_custom", model_path=file)


def _folders() -> list[Path]:
    """Where rembg keeps its models: newer versions in a folder for each, older ones side by side."""
    asked, shared = os.environ.get("U2NET_HOME"), os.environ.get("XDG_DATA_HOME")
    new = asked or os.environ.get("REMBG_HOME") or (f"{shared}/rembg" if shared else "~/.rembg")
    old = asked or f"{shared or '~'}/.u2net"
    return [Path(new).expanduser() / "models" / MODEL, Path(old).expanduser()]


def _file() -> Path | None:
    return next((path for folder in _folders() if (path := folder / f"{MODEL}.onnx").is_file()), None)
