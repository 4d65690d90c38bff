"""All widgets of the workbench and where they stand; nothing here does anything. See ``view``."""

import ipywidgets as widgets

from . import controls
from .session import STEPS

FIRST_PHOTO = "cactus_pot"


class Layout:
    """The widgets by name, and ``root``, which holds them all.

    Args:
        largest_upload: MB that the server takes, to be told beside the button.
    """

    def __init__(self, largest_upload: int):
        c = controls
        self.photo = c.dropdown("Photo", [*c.photos(), ("Your own", "")], FIRST_PHOTO, "sl-choose-photo")
        self.upload_photo = c.upload("Upload a photo", "sl-upload-photo")
        self.remarks = c.html("", "sl-live", "sl-remarks")
        self.sure = c.html("", "sl-live", "sl-sure")
        self.box = {
            side: c.classed(widgets.BoundedIntText(description=side.capitalize()), f"sl-box-{side}")
            for side in controls.SIDES
        }
        self.edges = c.html("", "sl-hidden")
        # Clicked by the script when the page is there.
        self.ready = c.classed(widgets.Button(), "sl-hidden", "sl-ready")
        self.whole_photo = c.classed(widgets.Button(description="Remove the box"), "sl-no-box")
        self.draws = c.classed(widgets.RadioButtons(description="Dragging draws", options=controls.DRAWS), "sl-draws")
        strokes = widgets.Text(description="Strokes", placeholder=controls.STROKES, continuous_update=False)
        self.strokes = c.classed(strokes, "sl-strokes")
        self.undo = c.classed(widgets.Button(description="Undo stroke"), "sl-undo")
        self.no_strokes = c.classed(widgets.Button(description="Remove strokes"), "sl-no-strokes")
        self.upload_mask = c.upload("Upload a mask", "sl-upload-mask")
        self.gallery = c.classed(widgets.Box(), "sl-gallery")
        self.paintings: list[widgets.Checkbox] = []
        self.css = c.html("", "sl-hidden")
        self.upload_style = c.upload("Upload a style", "sl-upload-style")
        self.shares: dict[int, widgets.IntSlider] = {}
        self.blend = c.classed(widgets.VBox(), "sl-blend")
        self.mode = c.classed(widgets.RadioButtons(description="Mode", options=controls.MODES), "sl-mode")
        self.strength = c.percent("Strength", 100, "sl-strength")
        colors = widgets.Checkbox(False, description="Keep the photo's colors", indent=False)
        self.keep_color = c.classed(colors, "sl-color")
        self.size = c.dropdown("Long side", controls.SIZES, 1024, "sl-size")
        self.format = c.dropdown("File", c.formats(), ".png", "sl-format")
        self.make = c.classed(widgets.Button(description="Make the picture", button_style=""), "sl-make")
        self.progress = c.classed(widgets.IntProgress(0, 0, len(STEPS)), "sl-progress")
        self.download = c.html("", "sl-live", "sl-file")
        self.status = c.html("", "sl-live", "sl-status")
        self.report = c.html("", "sl-figures")
        self.source, self.before, self.after = c.image("sl-photo"), c.image("sl-before"), c.image("sl-after")
        self.caption = c.html("", "sl-caption")
        hint = c.html(f'<p class="sl-hint">Up to {largest_upload} MB; your file is only read.</p>')
        heading = c.html('<h3>Your photo</h3><svg class="sl-rubber" aria-hidden="true"><polyline/></svg>')
        drawing = c.classed(widgets.Box([self.source]), "sl-frame", "sl-drawing")
        tools = c.classed(widgets.Box([self.draws, self.undo, self.no_strokes]), "sl-tools")
        photo_pane = c.classed(widgets.VBox([heading, drawing, tools, self.sure]), "sl-pane")
        compared = c.classed(widgets.Box([self.after, self.before]), "sl-frame", "sl-compare")
        result = [c.html("<h3>The picture</h3>"), compared, c.html(_WIPE), self.caption]
        result_pane = c.classed(widgets.VBox(result), "sl-pane", "sl-result")
        style = c.card("Style", self.gallery, self.upload_style, self.blend, kind="sl-wide")
        marks = c.classed(widgets.Box([*self.box.values(), self.whole_photo, self.strokes]), "sl-box")
        advice = c.html(f'<p class="sl-hint">{_ADVICE}</p>')
        first = c.card("Photo", self.photo, self.upload_photo, hint, self.remarks, advice, marks, self.upload_mask)
        look = c.card("Look", self.mode, self.strength, self.keep_color)
        picture = c.card("Picture", self.size, self.format, self.make, self.progress, self.download, kind="sl-picture")
        right = c.classed(widgets.VBox([look, picture]), "sl-column")
        children = [
            c.head(),
            self.css,
            c.classed(widgets.Box([photo_pane, result_pane]), "sl-panes"),
            self.status,
            c.classed(widgets.Box([first, style, right]), "sl-controls"),
            self.report,
            self.edges,
            self.ready,
        ]
        self.root = c.classed(widgets.VBox(children), "stylelab-workbench")


_ADVICE = "Product not found well? Draw a box around it, or strokes on it and on the ground; or type them in px."
_WIPE = (
    '<label class="sl-wipe"><span>Before and after</span><input type="range" min="0" max="100" value="0" '
    "oninput=\"this.closest('.sl-result').style.setProperty('--split', this.value + '%')\"></label>"
)
