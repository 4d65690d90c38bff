"""The report as pages to read, look at and decide on in any browser, from disk, without a network.

A page has 100 rows; pictures are small files beside it. One short script keeps what is approved and rejected and saves
it as CSV: its text and the style's are named by their hashes in the content security policy, so nothing else on the
page can run, whatever a SKU or a title says. Every control is the browser's own, so all works by keyboard.
"""

import base64
import csv
import hashlib
import html
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from .. import files
from . import names
from .ledger import STATES, Known
from .review import FOLDER
from .settings import Settings

ROWS = 100  # a page
COLUMNS = ("row", "sku", "variant", "title", "pictures", "decision")
_STATE = {"failed": "failed", "review": "for review", "open": "not done yet", "done": "done"}
_SIGN = {"failed": "✕", "review": "?", "open": "…", "done": "✓"}


def write(folder: Path, rows: Iterator[Known], counts: Mapping[str, int], catalog: str, settings: Settings) -> Path:
    """Writes ``report.html``, ``report-2.html`` and so on, and removes those of an earlier, longer report.

    Returns:
        The first page.
    Raises:
        ImageError: a page cannot be written.
    """
    pages = max(1, -(-sum(counts.values()) // ROWS))
    for number in range(1, pages + 1):
        cards = "".join(_card(known, settings) for known in islice(rows, ROWS))
        page = _PAGE.substitute(
            title=_text(f"Catalog {catalog}: page {number} of {pages}"),
            heading=_text(catalog),
            policy=_POLICY,
            style=_STYLE,
            script=_SCRIPT,
            head=html.escape(_csv(COLUMNS)),
            counts="".join(f"<li>{_SIGN[state]} {counts[state]} {_STATE[state]}</li>" for state in STATES),
            asked=_text(_asked(settings)),
            review=_REVIEW if counts["review"] else "",
            pages=_links(number, pages),
            cards=cards,
        )
        files.write(folder / _name(number), page.encode("utf-8", "replace"))
    for old in folder.glob("report-*.html"):
        page_number = old.stem.partition("-")[2]
        if page_number.isdecimal() and int(page_number) > pages:
            old.unlink(missing_ok=True)
    return folder / _name(1)


def _name(number: int) -> str:
    return "report.html" if number == 1 else f"report-{number}.html"


def _asked(settings: Settings) -> str:
    sizes = ", ".join(f"{size} px" for size in settings.sizes) or "the photos' own size"
    how = f"mode {settings.mode}, {sizes}, {', '.join(settings.formats)}"
    if settings.mode == "clean":
        return how
    styles = ", ".join(settings.labels())
    return f"{styles}; method {settings.method}, strength {settings.strength:g}, seed {settings.seed}; {how}"


def _links(number: int, pages: int) -> str:
    """To the pages around this one, and to the first and the last."""
    if pages == 1:
        return ""
    near = sorted({1, pages, *range(max(1, number - 3), min(pages, number + 3) + 1)})
    here = ' aria-current="page"'
    return "".join(f'<li><a href="{_name(n)}"{here if n == number else ""}>{n}</a></li>' for n in near)


def _card(known: Known, settings: Settings) -> str:
    row, entry = known.row, known.entry if not known.row.fault else {}
    variant = f" picture {known.variant}" if known.variant > 1 else ""
    reason = row.fault or entry.get("sentence", "")
    notes = "".join(f"<p>{_text(note)}</p>" for note in ([reason] if reason else []) + entry.get("notes", []))
    group = f" · {_text(row.group)}" if row.group else ""
    return (
        f'<article class="{known.state}" aria-labelledby="h{row.number}">'
        f'<h2 id="h{row.number}">{_SIGN[known.state]} <bdi>{_text(row.sku) or "(no SKU)"}</bdi>{variant}'
        f" <small>{_STATE[known.state]}</small></h2>"
        f"<p><bdi>{_text(row.title)}</bdi>{group} · row {row.number} · <bdi>{_text(row.image)}</bdi></p>"
        f"{notes}{_figures(known, entry, settings)}{_numbers(entry)}{_decision(known, entry)}</article>\n"
    )


def _figures(known: Known, entry: dict[str, Any], settings: Settings) -> str:
    if known.state == "review":
        return _figure(f"{FOLDER}/{known.stem}.png", f"{FOLDER}/{known.stem}.png", "found: all but blue", known)
    if known.state != "done":
        return ""
    before = f"thumbnails/{known.stem}/before.jpg"
    shown = [_figure(before, before, "photo", known)]
    for label in settings.labels():
        first = next((picture["file"] for picture in entry["pictures"] if picture["style"] == label), "")
        shown.append(_figure(f"thumbnails/{known.stem}/{label}.jpg", first, label, known))
    return f'<div class="pictures">{"".join(shown)}</div>'


def _figure(picture: str, target: str, caption: str, known: Known) -> str:
    alt = _text(f"{known.row.sku}: {caption}")
    return (
        f'<figure><a href="{quote(target)}"><img src="{quote(picture)}" alt="{alt}" loading="lazy"></a>'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _numbers(entry: dict[str, Any]) -> str:
    """What was measured, a line for each picture."""
    if not entry.get("pictures"):
        return ""
    measured = list(entry["pictures"][0]["measures"])
    head = "".join(f'<th scope="col">{_text(name.replace("_", " "))}</th>' for name in ("picture", "kB", *measured))
    body = []
    for picture in entry["pictures"]:
        name = f"{picture['style']} {picture['width']}×{picture['height']} {picture['format']}"
        cells = "".join(f"<td>{_number(picture['measures'][key])}</td>" for key in measured)
        link = f'<a href="{quote(picture["file"])}">{_text(name)}</a>'
        body.append(f'<tr><th scope="row">{link}</th><td>{picture["bytes"] / 1000:.0f}</td>{cells}</tr>')
    mask = f"mask: {entry['mask']}, confidence {entry['confidence']:.2f}" if entry["mask"] != "none" else "no mask"
    caption = f"<summary>Measured ({_text(mask)})</summary>"
    return f'<details>{caption}<div class="wide"><table><tr>{head}</tr>{"".join(body)}</table></div></details>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _decision(known: Known, entry: dict[str, Any]) -> str:
    if known.state != "done":
        return ""
    # The line is ready for a spreadsheet here, so that the script has nothing to escape. The key is that of the
    # pictures: a decision about older ones does not count for these.
    line = _csv((known.row.number, known.row.sku, known.variant, known.row.title, f"pictures/{known.stem}"))
    data = f'data-key="{entry["key"][:24]}" data-line="{html.escape(line)}"'
    choices = "".join(
        f'<label><input type="radio" name="d{known.row.number}" value="{value}"> {word}</label>'
        for value, word in (("approved", "approve"), ("rejected", "reject"), ("", "undecided"))
    )
    return f"<fieldset {data}><legend>Decision</legend>{choices}</fieldset>"


def _csv(values: tuple[Any, ...]) -> str:
    """A line of CSV without its end, harmless in a spreadsheet."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(
        [names.cell(value) if isinstance(value, str) else value for value in values]
    )
    return buffer.getvalue()


def _text(text: str) -> str:
    return html.escape(names.displayable(text))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_REVIEW = f"""<details open><summary>What to do about rows for review</summary><ul>
<li>Look at the picture in <code>{FOLDER}/</code>: what is blue was taken for ground.</li>
<li>Is all well? Save <code>{{"accept": true}}</code> as <code>{FOLDER}/NAME.json</code>.</li>
<li>Else draw on <code>NAME.png</code>, pure green on the product and pure red on the ground, and save it as
<code>NAME.strokes.png</code>; or give a box in px of the photo, <code>{{"box": [left, top, right, bottom]}}</code>, as
<code>NAME.json</code>; or a mask, white where the product is, as <code>NAME.mask.png</code>.</li>
<li>Then run the same command with <code>--only review</code>.</li></ul></details>"""

_STYLE = """
:root { color-scheme: light dark; --page: #f5f3ef; --paper: #fff; --ink: #22201c; --quiet: #67625a; --line: #d8d2c7;
  --failed: #a3201d; --review: #7a4f00; --done: #1c6b3a; --link: #1d4f91; }
@media (prefers-color-scheme: dark) { :root { --page: #151412; --paper: #1f1d1a; --ink: #eeeae2; --quiet: #a9a297;
  --line: #45403a; --failed: #ff9a94; --review: #f0bd5e; --done: #83d3a1; --link: #9cc4ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: clamp(1rem, 3vw, 2.5rem); }
h1, h2 { font-family: Georgia, "Times New Roman", serif; font-weight: 500; line-height: 1.25; margin: 0;
  overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; }
h2 small { font: 0.85rem system-ui, sans-serif; }
p { margin: 0.4rem 0; color: var(--quiet); overflow-wrap: anywhere; max-width: 60rem; }
a { color: var(--link); }
ul.row { display: flex; flex-wrap: wrap; gap: 0.4rem 1.4rem; list-style: none; padding: 0; margin: 0.8rem 0; }
[aria-current] { font-weight: 700; text-decoration: none; color: inherit; }
article { margin-top: 1.25rem; padding: 1rem 1.25rem; background: var(--paper); border: 1px solid var(--line);
  border-left: 0.35rem solid var(--line); border-radius: 0.6rem; }
.failed { border-left-color: var(--failed); } .failed small { color: var(--failed); }
.review { border-left-color: var(--review); } .review small { color: var(--review); }
.done { border-left-color: var(--done); } .done small { color: var(--done); }
.pictures { display: flex; flex-wrap: wrap; gap: 0.8rem; margin: 0.8rem 0; }
figure { margin: 0; }
article > figure { margin: 0.8rem 0; }
img { display: block; height: 11rem; width: auto; max-width: 100%; object-fit: contain; border-radius: 0.3rem;
  background: #fff; }
figcaption { font-size: 0.85rem; color: var(--quiet); overflow-wrap: anywhere; max-width: 20rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; margin-top: 0.5rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem 0.25rem 0; text-align: right; border-top: 1px solid var(--line); font-weight: 400; }
th:first-child { text-align: left; }
fieldset { border: 0; padding: 0; margin: 0.7rem 0 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1.3rem; }
legend { float: left; padding: 0.2rem 0; margin-right: 1rem; color: var(--quiet); }
label { cursor: pointer; padding: 0.2rem 0; }
button { font: inherit; padding: 0.5rem 1rem; border-radius: 0.4rem; border: 1px solid var(--ink); color: var(--paper);
  background: var(--ink); cursor: pointer; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.tools { position: sticky; bottom: 0; padding: 0.7rem 0; background: var(--page); border-top: 1px solid var(--line);
  margin-top: 1.5rem; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
@media print { .tools, nav { display: none; } article { break-inside: avoid; } }
"""

# Some browsers keep nothing for pages from disk, or keep it for each page alone: then what is saved is this page's.
_SCRIPT = """
"use strict";
const key = "stylelab-catalog", tools = document.querySelector(".tools"), told = tools.querySelector("output");
const rows = [...document.querySelectorAll("fieldset")];
let kept = {};
try { kept = JSON.parse(localStorage.getItem(key)) || {}; } catch (error) { kept = {}; }
const place = location.href.replace(/[^/]*$/, "");
const mine = kept[place] = kept[place] || {};
function tell() {
  const all = Object.values(mine), approved = all.filter(([, decision]) => decision === "approved").length;
  told.textContent = approved + " approved, " + (all.length - approved) + " rejected";
}
for (const row of rows) {
  const now = row.dataset.key in mine ? mine[row.dataset.key][1] : "";
  for (const choice of row.querySelectorAll("input")) choice.checked = choice.value === now;
  row.addEventListener("change", event => {
    if (event.target.value) mine[row.dataset.key] = [row.dataset.line, event.target.value];
    else delete mine[row.dataset.key];
    try { localStorage.setItem(key, JSON.stringify(kept)); } catch (error) { }
    tell();
  });
}
tools.querySelector("button").addEventListener("click", () => {
  const lines = Object.values(mine).map(([line, decision]) => line + "," + decision);
  lines.sort((a, b) => parseInt(a) - parseInt(b));
  const text = "\\ufeff" + [tools.dataset.head, ...lines].join("\\r\\n") + "\\r\\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "decisions.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});
tell();
"""

_POLICY = html.escape(
    f"default-src 'none'; img-src 'self' file: data:; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "base-uri 'none'; form-action 'none'"
)

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1><bdi>$heading</bdi></h1>
<ul class="row">$counts</ul>
<p>$asked</p>
$review
<nav aria-label="Pages"><ul class="row">$pages</ul></nav>
$cards
<nav aria-label="Pages, again"><ul class="row">$pages</ul></nav>
<div class="tools" data-head="$head"><button type="button">Save decisions (CSV)</button><output></output></div>
</main>
<script>$script</script>
</body>
</html>
""")
