"""The workbench's controls: what ipywidgets 7 and 8 share, put together and named. What they do is in ``view``."""

from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from .. import images, samples
from . import pictures
from .session import SUFFIXES

HERE = Path(__file__).parent
# A GIF of one clear pixel: its onload is the one way to run a script that every host of ipywidgets 7 and 8 leaves open.
_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
MODES = [
    ("Scene: all around it is painted", "scene"),
    ("Backdrop: in a painted studio", "backdrop"),
    ("Clean: on pure white", "clean"),
    ("Whole: the product is painted, too", "whole"),
]
SIZES = [("As the photo", None), ("512 px", 512), ("1024 px", 1024), ("1600 px", 1600), ("2048 px", 2048)]
DRAWS = ["a box", "product", "ground"]  # in the order that page.js knows
STROKES = "product 60,80 90,95; ground 9,9"
SIDES = ("left", "top", "right", "bottom")


def head() -> widgets.HTML:
    """Style and script of the page, and its heading."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    script = escape((HERE / "page.js").read_text(encoding="utf-8"), quote=True)
    return html(
        f'<style>{style}</style><img src="{_PIXEL}" alt="" hidden onload="{script}">'
        '<h2>Workbench</h2><p class="sl-lead">Product photos in the style of paintings; products stay as they are.</p>',
        "sl-head",
    )


def html(text: str = "", *classes: str) -> widgets.HTML:
    """HTML with classes."""
    return classed(widgets.HTML(text), *classes)


def classed(widget: Any, *classes: str) -> Any:
    """The widget, with classes for CSS, the script and the tests."""
    for one in classes:
        widget.add_class(one)
    return widget


def card(title: str, *children: Any, kind: str = "") -> widgets.VBox:
    """Controls that belong together, under a heading."""
    heading = html(f"<h3>{escape(title)}</h3>")
    return classed(widgets.VBox([heading, *children]), "sl-card", *filter(None, [kind]))


def dropdown(description: str, options: list[tuple[str, Any]], value: Any, *classes: str) -> widgets.Dropdown:
    """A list to choose one of."""
    return classed(widgets.Dropdown(description=description, options=options, value=value), *classes)


def upload(description: str, *classes: str) -> widgets.FileUpload:
    """A button that takes a picture file."""
    accept = ",".join(("image/*", *images.SUFFIXES, ".heic", ".avif"))
    return classed(widgets.FileUpload(description=description, accept=accept, multiple=False), *classes)


def percent(description: str, value: int, *classes: str) -> widgets.IntSlider:
    """A slider from 0 to 100 that tells of every step."""
    slider = widgets.IntSlider(value, 0, 100, 1, description=description, continuous_update=True, readout_format="d")
    return classed(slider, *classes)


def image(*classes: str) -> widgets.Image:
    """A picture that keeps its place when it changes."""
    blank = pictures.jpeg(images.resize(_PAPER, (400, 600)))
    return classed(widgets.Image(value=blank, format="jpeg"), *classes)


def painting(label: str, number: int, chosen: bool) -> widgets.Checkbox:
    """A painting to tick; its thumbnail comes with the class, see :func:`thumbnails`."""
    return classed(widgets.Checkbox(chosen, description=label, indent=False), "sl-painting", f"sl-painting-{number}")


def thumbnails(addresses: list[str]) -> str:
    """The CSS that gives each painting its thumbnail."""
    rules = (
        f".stylelab-workbench .sl-painting-{number} label::before{{background-image:url({address})}}"
        for number, address in enumerate(addresses)
    )
    return f"<style>{''.join(rules)}</style>"


def photos() -> list[tuple[str, str]]:
    """The shipped product photos, for a list."""
    return [(name.replace("_", " ").capitalize(), name) for name in samples.names("products")]


def formats() -> list[tuple[str, str]]:
    """File formats with what is said of them."""
    said = {"PNG": "PNG, exact", "JPEG": "JPEG, small", "WebP": "WebP, smaller"}
    return [(said[name], suffix) for name, suffix in SUFFIXES.items()]


def _paper() -> Any:
    import numpy as np

    return np.full((4, 6, 3), 0.93, "float32")


_PAPER = _paper()
