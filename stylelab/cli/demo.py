"""``stylelab demo``: three products in three styles by both methods, and a page that shows them."""

import argparse
import time
from pathlib import Path
from typing import Any

from .. import images, samples
from .terminal import say

DEMO = (  # product, painting
    ("leather_sofa", "vangogh_cafe_terrace"),
    ("cactus_pot", "hokusai_great_wave"),
    ("instant_camera", "vangogh_night_cafe"),
)
SIZE, STEPS = 256, 100


def add(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("demo", help="three products in three styles by both methods, and a page of them")
    parser.add_argument("-o", "--out", default="out", metavar="DIR", help="folder to write into (default: out)")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> None:
    """Writes six pictures and ``index.html``."""
    folder = Path(arguments.out)
    page = images.check_output(folder / "demo.png").with_name("index.html")
    say(f"Styling {len(DEMO)} photos at {SIZE} px: one pass takes no second, optimization half a minute on two cores.")

    from .. import metrics, stylizers
    from ..pages import Card, write_page
    from ..training import Progress

    # Coarse to fine, which paints larger strokes than one scale (chapter 03 shows both).
    methods = {
        "fast": ("one pass", stylizers.get("fast")),
        "optimize": ("optimized", stylizers.get("optimize", steps=STEPS, first_size=SIZE // 2)),
    }
    cards: list[Card] = []
    for product, painting in DEMO:
        content = images.resize(samples.load(product), SIZE)
        style, painter_and_title = samples.load(painting), samples.credit(painting).split(", ")[:2]
        shown = {"photo": content, "painting": style}
        numbers: dict[str, object] = {"style distance of the photo": metrics.style_distance(content, style, SIZE)}
        for method, (how, stylizer) in methods.items():
            if not cards and method == "fast":
                stylizer.stylize(content[None], painting)  # the first pass prepares the network: no picture's own time
            begun = time.perf_counter()
            result = stylizer.stylize(content[None], painting, callback=Progress(f"{product} + {painting}"))[0]
            seconds = time.perf_counter() - begun
            file = images.write(folder / f"{product}_{painting}_{method}.png", result)
            say(f"  {file}  {seconds:.2g} s")
            shown[f"{how}: {seconds:.2g} s"] = result
            numbers |= {
                f"{how}: seconds": f"{seconds:.2g}",
                f"{how}: style distance (0 = the painting's)": metrics.style_distance(result, style, SIZE),
                f"{how}: content distance (0 = the photo's)": metrics.content_distance(result, content, SIZE),
            }
        cards.append(
            Card(
                title=f"{product.replace('_', ' ').capitalize()} after {', '.join(painter_and_title)}",
                pictures=shown,
                settings={
                    "files": [f"{product}_{painting}_{method}.png" for method in methods],
                    "long side": f"{SIZE} px",
                    "one pass": "the network that ships",
                    "optimized": f"Adam, {STEPS} steps at {SIZE // 2}, then {SIZE} px",
                    "seed": 0,
                },
                numbers=numbers,
                note=f"{samples.credit(product)}. {samples.credit(painting)}.",
            )
        )
    write_page(
        page,
        "Product photos, painted twice",
        cards,
        "Once in one pass through a network that was trained for the paintings that ship, and once optimized pixel by "
        "pixel until a pretrained network saw the photo's content in the painting's style. The network learned from "
        "many photos what optimization finds for one. Made offline from the samples that ship with StyleLab.",
    )
    say(f"The page: {page}")
