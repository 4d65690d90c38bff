"""What the workbench says of a finished picture, as HTML: its figures, where it may be used, the file.

All text is escaped: a photo's name is anybody's.
"""

import base64
from html import escape

from ..catalog import masks, measures, rules
from .session import Made

# Chrome follows no data address of over 2 MB, so the click makes a blob of it first (url::kMaxURLChars in Chromium).
_TO_BLOB = (
    "if(this.href.startsWith('data:')){const b=atob(this.href.split(',')[1]),a=new Uint8Array(b.length);"
    "for(let i=0;i<b.length;i++)a[i]=b.charCodeAt(i);"
    "this.href=URL.createObjectURL(new Blob([a],{type:'application/zip'}))}"
)


def download(made: Made) -> str:
    """A link that holds the zip file itself, so that it works wherever the notebook is shown."""
    name = escape(f"{made.file.parent.name}.zip", quote=True)
    size = f"{len(made.pack) / 1e6:.1f} MB"
    packed = base64.b64encode(made.pack).decode()
    return (
        f'<a class="sl-download" download="{name}" href="data:application/zip;base64,{packed}" onclick="{_TO_BLOB}">'
        f"Download the picture</a>"
        f'<p class="sl-hint">{name}, {size}: the picture, and how it was made.</p>'
    )


def findings(made: Made) -> str:
    """Figures and verdicts, side by side."""
    width, height = made.size
    rows = [
        ("Picture", made.file.parent.name),
        ("Size", f"{width} x {height} px"),
        *(_figures(made.measures) if made.measures else []),
    ]
    figures = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    titles = {slot.name: slot.title for slot in rules.slots()}
    verdicts = "".join(_verdict(titles.get(one.slot, one.slot), one) for one in made.verdicts)
    return (
        '<div class="sl-report">'
        f"<section><h3>Measured</h3><table><tbody>{figures}</tbody></table></section>"
        f'<section><h3>Where it may be used</h3><ul class="sl-verdicts">{verdicts}</ul></section></div>'
    )


def verdict_on(mask: masks.Mask) -> tuple[str, bool]:
    """A sentence on how sure the mask is, and whether a person should look at it."""
    if mask.source in ("alpha", "file"):
        whence = "the picture's transparency" if mask.source == "alpha" else "your mask"
        return f"The product is where {whence} says.", False
    sure = f"{int(100 * mask.confidence)}\u00a0%"  # rounded down: what is below the threshold reads so
    whence = " with your strokes" if mask.source == "strokes" else ""
    if mask.confidence >= masks.ACCEPT:
        return f"Product found{whence}: the outline is right with a chance of {sure}.", False
    advice = {"photo": "draw a box around the product, or strokes", "box": "draw the box closer, or strokes"}
    wrong = advice.get(mask.source, "draw more of them")
    return f"Please look at the outline{whence} (only {sure} sure). If it is wrong, {wrong}, or upload a mask.", True


def _figures(found: measures.Measures) -> list[tuple[str, str]]:
    exact = found.core_difference == 0
    color = f"{found.product_color:.1f} on average, {found.product_color_largest:.1f} at most"
    touched = f"{found.text_regions} of {found.text_found} regions" if found.text_found else "no text found"
    return [
        ("Change inside the product", "none" if exact else f"up to {found.core_difference:.0f} of 255"),
        ("Color of the product (CIEDE2000)", color),
        ("Product fills", f"{_percent(found.share)} of the area, {_percent(found.fill)} of a side"),
        ("Edges kept", _percent(found.edges)),
        ("Text touched", touched),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _verdict(title: str, verdict: rules.Verdict) -> str:
    mark, word = ("✓", "fit") if verdict.fit else ("✗", "not fit")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    kind = "sl-fit" if verdict.fit else "sl-unfit"
    return (
        f'<li class="{kind}"><span aria-hidden="true">{mark}</span> <strong>{escape(title)}</strong>: {word}'
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + "</li>"
    )
