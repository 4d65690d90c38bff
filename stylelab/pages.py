"""Self-contained HTML pages of styled pictures: one file to open from disk, print or send to a customer.

The pictures lie inside the file. There is no script, and a content security policy forbids every request, so
a page looks the same offline and in ten years. What goes onto a page is the caller's business; nothing here
styles or measures.
"""

import base64
import html
import numbers as numeric
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import numpy as np

from stylelab import files, formats, images

LONG_SIDE = 1000  # px: twice what a third of a wide page shows, so that it stays sharp on a dense screen


@dataclass(frozen=True)
class Card:
    """One styled picture with what led to it.

    Attributes:
        title: heading of the card.
        pictures: caption -> image ``[H, W, 3]``, or ``[H, W, 4]`` with alpha, float 0..1; shown side by side
            in this order. On a phone the last one, by custom the result, takes the whole width.
        settings: what was asked for, as name -> value.
        numbers: what was measured, as name -> value.
        note: a sentence or more below the pictures (credits, limits); a blank line starts a new paragraph.
    """

    title: str
    pictures: Mapping[str, np.ndarray]
    settings: Mapping[str, object] = field(default_factory=dict)
    numbers: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


def write_page(path: str | Path, title: str, cards: Sequence[Card], intro: str = "") -> Path:
    """Writes the cards as one HTML file; a file that was there is replaced only when the new one is complete.

    Args:
        path: the file to write; its folder is made if need be.
        title: heading of the page and title of the browser's tab.
        cards: in reading order. All text is escaped: a title may be any file's name.
        intro: text below the heading; a blank line starts a new paragraph.
    Returns:
        The path written.
    Raises:
        ImageError: a picture is no image (see ``images.check``), or the file cannot be written.
    """
    page = _PAGE.substitute(
        title=html.escape(title),
        intro=_paragraphs(intro),
        cards="\n".join(_card(card) for card in cards),
        style=_STYLE,
    )
    # A file's name that is no valid UTF-8 reaches us as lone surrogates, which no encoding takes.
    return files.write(path, page.encode("utf-8", errors="replace"))


def _card(card: Card) -> str:
    figures = "".join(_figure(caption, image, card.title) for caption, image in card.pictures.items())
    tables = _table("Settings", card.settings) + _table("Measured", card.numbers)
    return (
        f"<article>\n<h2>{html.escape(card.title)}</h2>\n"
        + (f'<div class="pictures">{figures}</div>\n' if figures else "")
        + _paragraphs(card.note)
        + (f'<div class="facts">{tables}</div>\n' if tables else "")
        + "</article>"
    )


def _figure(caption: str, image: np.ndarray, title: str) -> str:
    kind, encoded, (height, width) = _encode(image, f'picture "{caption}" of card "{title}"')
    alt = html.escape(f"{title}: {caption}")
    return (
        f'\n<figure style="--aspect: {width / height:.4f}">'
        f'<img src="data:image/{kind};base64,{encoded}" width="{width}" height="{height}" alt="{alt}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _encode(image: np.ndarray, name: str) -> tuple[str, str, tuple[int, int]]:
    """Kind of file, its bytes in base64, and (height, width): JPEG, or PNG where there is alpha."""
    image = np.asarray(image)
    has_alpha = image.ndim == 3 and image.shape[-1] == 4
    rgb = images.check(image[..., :3] if has_alpha else image, name)
    if has_alpha:
        rgb = np.concatenate([rgb, np.clip(image[..., 3:], 0, 1)], axis=-1)
    if max(rgb.shape[:2]) > LONG_SIDE:
        rgb = images.resize(rgb, LONG_SIDE)
    kind = "png" if has_alpha else "jpeg"
    file = formats.encode(images.to_uint8(rgb), f".{kind}", exif=b"", quality=90)
    return kind, base64.b64encode(file).decode("ascii"), (rgb.shape[0], rgb.shape[1])


def _table(caption: str, rows: Mapping[str, object]) -> str:
    if not rows:
        return ""
    body = "".join(
        f'<tr><th scope="row">{html.escape(str(name))}</th><td>{html.escape(_text(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"\n<table><caption>{caption}</caption><tbody>{body}</tbody></table>"


def _text(value: object) -> str:
    """A value as a reader wants it: three significant digits, yes and no, lists without brackets."""
    if value is None:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numeric.Real) and not isinstance(value, numeric.Integral):
        number = float(value)
        return f"{number:,.0f}" if 1000 <= abs(number) < float("inf") else f"{number:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{html.escape(part.strip())}</p>\n" for part in text.split("\n\n") if part.strip())


_STYLE = """
:root { color-scheme: light dark; --page: #f5f3ef; --paper: #ffffff; --ink: #22201c; --quiet: #67625a;
  --line: #e4dfd6; }
@media (prefers-color-scheme: dark) {
  :root { --page: #151412; --paper: #1f1d1a; --ink: #eeeae2; --quiet: #a9a297; --line: #38342e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: clamp(1.25rem, 4vw, 3.5rem) clamp(0.75rem, 3vw, 2.5rem); }
h1, h2 { font-family: Georgia, "Times New Roman", serif; font-weight: 500; line-height: 1.2; margin: 0;
  overflow-wrap: anywhere; }
h1 { font-size: clamp(1.9rem, 4.5vw, 3rem); letter-spacing: -0.01em; }
h2 { font-size: clamp(1.25rem, 2.5vw, 1.6rem); margin-bottom: 1rem; }
p { max-width: 44rem; margin: 0.8rem 0 0; color: var(--quiet); overflow-wrap: anywhere; }
article { margin-top: clamp(1.25rem, 3vw, 2.25rem); padding: clamp(0.9rem, 2.2vw, 1.75rem);
  background: var(--paper); border: 1px solid var(--line); border-radius: 0.9rem; break-inside: avoid; }
/* Each picture grows with its aspect ratio, so that all of a row have the same height. */
.pictures { display: flex; flex-wrap: wrap; gap: 0.9rem; }
figure { margin: 0; min-width: 0; flex: var(--aspect) 1 calc(var(--aspect) * 11rem);
  max-width: calc(var(--aspect) * 36rem); }
img { display: block; width: 100%; height: auto; border-radius: 0.45rem; }
figcaption { margin-top: 0.4rem; font-size: 0.85rem; color: var(--quiet); overflow-wrap: anywhere; }
figure:last-child figcaption { color: var(--ink); font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr));
  gap: 0.75rem clamp(1.25rem, 4vw, 3.5rem); margin-top: 1.1rem; align-items: start; }
table { width: 100%; max-width: 36rem; border-collapse: collapse; font-size: 0.9rem; }
caption { padding-bottom: 0.3rem; text-align: left; font-weight: 600; }
th, td { padding: 0.35rem 0; border-top: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
th { padding-right: 1.5rem; text-align: left; font-weight: 400; color: var(--quiet); }
td { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  .pictures { gap: 0.6rem; }
  figure { flex-basis: calc(var(--aspect) * 6rem); }
  figure:last-child { flex-basis: 100%; } }
@media print { body { background: none; } }
"""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
$intro
$cards
</main>
</body>
</html>
""")
