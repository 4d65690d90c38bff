"""What a page promises is what its check wants: the bounds that a chapter's text names are those of the exercise.

A page may say a bound in words ("three quarters"); the ones below stand there in figures.
"""

import json
import re
from pathlib import Path

import pytest

from stylelab import exercises

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PROMISES = {
    "pot-stays-red": (
        "a style distance of at most {bounds[0]:g},",
        "a content distance of at most {bounds[1]:g},",
        "inside the pot (CIEDE2000) of at most {bounds[2]:g}.",
    ),
    "logo-legible": (
        "a style distance of at most {style_bound:g} ",
        "a content distance of at most {content_bound:g} ",
        "an edge preservation of at least {edge_bound:g} ",
    ),
    "style-budget": ("with at most {limit:,} of them changed",),
    "cure-collapse": ("the generator's parameters at most {parameters:,} ",),
    "better-than-copying": ("better than copying's by at least {least:g},",),
    "new-chairs": ("Choose {count} pictures", "KID at most {kid_bound:g}, diversity at least {diversity_bound:g}."),
}
EACH = [(name, promise) for name, promises in PROMISES.items() for promise in promises]


def asked(name):
    """The text above the cell that asks for an exercise, from its heading on, and the cell's code."""
    chapter = exercises.registered()[name].chapter
    (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    task = ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            task = text.rpartition("### Exercise")[2] or task
        elif re.search(rf'course\.exercise\(\s*"{name}"', text):
            return " ".join(task.split()) + " ", text
    raise AssertionError(f"chapter {chapter} does not ask for {name}")


def broken(name, promise, given):
    """Why the page does not say what the check wants, or nothing."""
    task, code = asked(name)
    words = promise.format(**given)
    field = re.findall(r"{(\w+)", promise)
    if own := [key for key in field if re.search(rf"\b{key}=", code)]:
        return f"the chapter gives its own {', '.join(own)}"
    return "" if words in task else f"the page does not say: {words}"


@pytest.mark.parametrize(("name", "promise"), EACH)
def test_the_page_names_the_bounds_of_the_check(name, promise):
    assert broken(name, promise, exercises.registered()[name].given) == ""


@pytest.mark.parametrize(("name", "promise"), EACH)
def test_a_changed_bound_is_seen(name, promise):
    given = exercises.registered()[name].given
    for field in re.findall(r"{(\w+)", promise):
        value = given[field]
        changed = tuple(1.25 * v for v in value) if isinstance(value, tuple) else type(value)(1.25 * value)
        assert "does not say" in broken(name, promise, {**given, field: changed})


def test_bounds_of_the_chapters_own_are_seen():
    """The pot is given by the cell itself."""
    assert broken("pot-stays-red", "{pot}", {"pot": 1}) == "the chapter gives its own pot"
