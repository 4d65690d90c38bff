"""What holds for all exercises: how many there are, that no wrong answer passes, and that a reader's progress is kept.

Each right answer that is a formula is changed in every way that the small mutation tool below knows: one operator,
number, call or statement at a time. A changed answer that passes shows a weak check, unless it is the same function
written otherwise; those stand in ``EQUIVALENT``, each with its reason. Open exercises are judged by a metric: their
mutants are worse choices, made by hand. The known mistakes of each exercise are in ``test_course.py``, and more wrong
functions, each with the sentence that it must bring forth, in the chapters' tests.
"""

import ast
import copy
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from stylelab import course, exercises, feedforward, finetune, metrics
from stylelab.cli import main
from stylelab.exercises import chapter01, chapter08_open, progress
from tests import (
    test_chapter01,
    test_chapter02,
    test_chapter04,
    test_chapter05,
    test_chapter06,
    test_chapter07,
    test_chapter09,
    test_chapter10,
    test_chapter11,
    test_chapter12,
    test_course,
)

ROOT = Path(__file__).resolve().parent.parent
ALL = exercises.registered()
CHAPTERS = [f"{number:02d}" for number in range(1, 13)]
LEAST = 5  # mutants of each right answer


# ---- how many ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_exercises_and_one_is_open(chapter):
    ours = {name for name, one in ALL.items() if one.chapter == chapter}
    assert len(ours) >= 3
    assert [ALL[name].open for name in ours].count(True) == 1
    (path,) = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert set(re.findall(r'course\.exercise\(\s*"(.*?)"', code)) == ours, "each is asked in its chapter"


# ---- a mutation tool ---------------------------------------------------------------------------------------------

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult,
    ast.BitXor: ast.Add,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
NAMES = {"mean": "sum", "sum": "mean", "max": "min", "maximum": "minimum", "zeros": "ones", "var": "std"} | {
    "ceil": "floor",
    "round": "int",
    "reversed": "list",
}


def instead(node):
    """What a slip would write in the place of a piece of Python."""
    match node:
        case ast.BinOp():
            if type(node.op) in OPERATORS:
                yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
            yield from (node.left, node.right)
        case ast.UnaryOp():
            yield node.operand
        case ast.Compare(ops=[operator]):
            yield ast.Compare(node.left, [OPERATORS[type(operator)]()], node.comparators)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            yield ast.Constant(value + 1)
            if value:
                yield ast.UnaryOp(ast.USub(), ast.Constant(value))
            if value not in (0, 1):
                yield ast.Constant(value / 2)
        case ast.Call(func, [first, second, *rest], keywords):
            yield first
            yield ast.Call(func, [second, first, *rest], keywords)
        case ast.Call(func, [only], _):
            yield only
        case ast.Call(ast.Attribute(value), [], _):
            yield value
        case ast.Attribute(value, name, context) if name in NAMES:
            yield ast.Attribute(value, NAMES[name], context)
        case ast.Attribute(value, "T"):
            yield value
        case ast.Name(name, context) if name in NAMES:
            yield ast.Name(NAMES[name], context)
        case ast.Tuple([_, _, *_] as parts, ast.Load() as context):
            yield ast.Tuple(parts[::-1], context)
        case ast.Assign() | ast.AugAssign() | ast.Expr():
            yield ast.Pass()
    if isinstance(node, ast.Call):
        for one in node.keywords:
            yield ast.Call(node.func, node.args, [other for other in node.keywords if other is not one])


def bare(tree):
    """Without docstring and types, which no test can see."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            node.body = node.body[bool(ast.get_docstring(node)) :]
    return tree


# Too small to say where a slip is: it is named by what they stand in.
SMALL = (ast.Constant, ast.UnaryOp, ast.Tuple, ast.Slice, ast.keyword)


def replaced(tree, index, number):
    """A copy of the tree with the ``number``-th slip at its ``index``-th node, and the slip in words."""
    tree = copy.deepcopy(tree)
    nodes = list(ast.walk(tree))
    above = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
    old = place = nodes[index]
    while isinstance(place, SMALL):
        place = above[place]
    before, new = ast.unparse(place), list(instead(old))[number]
    for field, value in ast.iter_fields(above.get(old, tree)):
        if value is old:
            setattr(above[old], field, new)
        elif isinstance(value, list):
            value[:] = [new if one is old else one for one in value]
    ast.fix_missing_locations(tree)
    return tree, f"{before} -> {ast.unparse(new if place is old else place)}"


def mutants(function):
    """Each different mutant of a function: the slip in words, and the function with it."""
    tree = bare(ast.parse(textwrap.dedent(inspect.getsource(function))))
    seen = {ast.unparse(tree)}
    for index, node in enumerate(list(ast.walk(tree))):
        for number in range(len(list(instead(node)))):
            changed, slip = replaced(tree, index, number)
            source = ast.unparse(changed)
            if source in seen:
                continue
            seen.add(source)
            namespace = dict(vars(inspect.getmodule(function)))
            try:
                exec(compile(changed, f"<{slip}>", "exec"), namespace)
            except (SyntaxError, ValueError):
                continue  # no Python any more
            yield slip, namespace[function.__name__]


def example(x, n):
    """Not seen."""
    y = np.mean(x, axis=0) - 2
    return -y if n < 3 else y


def test_the_tool_makes_the_slips_that_it_knows():
    slips = dict(mutants(example))
    assert set(slips) >= {
        "np.mean(x, axis=0) - 2 -> np.mean(x, axis=0) + 2",
        "np.mean(x, axis=0) - 2 -> np.mean(x, axis=0)",
        "np.mean -> np.sum",
        "np.mean(x, axis=0) -> x",
        "np.mean(x, axis=0) -> np.mean(x)",
        "np.mean(x, axis=0) -> np.mean(x, axis=1)",
        "np.mean(x, axis=0) - 2 -> np.mean(x, axis=0) - 3",
        "np.mean(x, axis=0) - 2 -> np.mean(x, axis=0) - -2",
        "np.mean(x, axis=0) - 2 -> np.mean(x, axis=0) - 1.0",
        "-y if n < 3 else y -> y if n < 3 else y",
        "n < 3 -> n <= 3",
    }
    x = np.array([[1.0, 5.0], [3.0, 9.0]])
    np.testing.assert_array_equal(slips["np.mean(x, axis=0) - 2 -> np.mean(x, axis=0) - 3"](x, 5), [-1, 4])
    np.testing.assert_array_equal(slips["np.mean(x, axis=0) -> np.mean(x, axis=1)"](x, 5), [1, 4])
    np.testing.assert_array_equal(slips["-y if n < 3 else y -> y if n < 3 else y"](x, 0), [0, 5])


# ---- formulas ----------------------------------------------------------------------------------------------------

_SAME_AXES = "both orders of these axes name the same places"
_SYMMETRIC = "the order of the two arguments does not matter to this function"
_FROM_THE_END = "counted from the end it is the same axis or place"
_ANY_NEGATIVE = "NumPy takes any negative number for the length that is left to it"
_FLOOR = "another floor, far below anything that a picture has"
_CLIP = "clip takes the middle one of three numbers, whichever comes first"
_CENTERED = "one of two centered factors is enough: the other's mean meets a sum of zero"
_NOTHING_THERE = "it matters only where p and q are both zero, and there any D will do"
_EITHER_WAY = "the squared distance of a to b is that of b to a"
_ROWS = "np.reshape(f, (-1, f.shape[-1])) -> np.reshape(f, (-2, f.shape[-1]))"
EQUIVALENT = {
    "convolution": {
        "np.zeros -> np.ones": "every number of it is overwritten",
        "kernel.shape[:2] -> kernel.shape[:-2]": "of four axes, all but the last two are the first two",
    },
    "gram-normalization": {_ROWS: _ANY_NEGATIVE},
    "gram-gradient": {_ROWS: _ANY_NEGATIVE},
    "repaired-sum": {_ROWS: _ANY_NEGATIVE},
    "adversarial-pair": {
        "np.logaddexp(0, -real) -> np.logaddexp(-real, 0)": _SYMMETRIC,
        "np.logaddexp(0, -fake) -> np.logaddexp(-fake, 0)": _SYMMETRIC,
        "np.logaddexp(0, fake) -> np.logaddexp(fake, 0)": _SYMMETRIC,
    },
    "adam-step": {"np.clip(x, 0, 1) -> np.clip(0, x, 1)": _CLIP},
    "conditional-normalization": {
        "np.mean(f, axis=(0, 1)) -> np.mean(f, axis=(1, 0))": _SAME_AXES,
        "np.var(f, axis=(0, 1)) -> np.var(f, axis=(1, 0))": _SAME_AXES,
    },
    "match-moments": {
        "np.mean(x, axis=(0, 1)) -> np.mean(x, axis=(1, 0))": _SAME_AXES,
        "np.var(x, axis=(0, 1)) -> np.var(x, axis=(1, 0))": _SAME_AXES,
    },
    "whiten-and-color": {
        "theirs - theirs.mean(0) -> theirs + theirs.mean(0)": _CENTERED,
        "theirs - theirs.mean(0) -> theirs": _CENTERED,
        "theirs.mean(0) -> 0": _CENTERED,
        "theirs.mean -> theirs.sum": _CENTERED,
        "np.maximum(values, 1e-12) -> np.maximum(1e-12, values)": _SYMMETRIC,
        "np.maximum(values, 1e-12) -> np.maximum(values, 5e-13)": _FLOOR,
        "rows.shape[-1] -> rows.shape[1]": _FROM_THE_END,
        "rows.shape[-1] -> rows.shape[--1]": _FROM_THE_END,
        _ROWS: _ANY_NEGATIVE,
    },
    "contrastive-loss": {
        "np.linalg.norm(z, axis=1, keepdims=True) -> np.linalg.norm(z, axis=-1, keepdims=True)": _FROM_THE_END,
        "logsumexp(similarity, axis=1) -> logsumexp(similarity, axis=-1)": _FROM_THE_END,
        "similarity[rows, partner] -> similarity[partner, rows]": "the similarities are a symmetric matrix",
    },
    "optimal-judge": {
        "total > 0 -> total >= 0": _NOTHING_THERE,
        "np.where(total > 0, total, 1) -> np.where(total > 0, total, 2)": _NOTHING_THERE,
        "np.where(total > 0, total, 1) -> np.where(total > 0, total, -1)": _NOTHING_THERE,
        "np.where(total > 0, p / np.where(total > 0, total, 1), 0.5) -> "
        "np.where(total > 0, p / np.where(total > 0, total, 1), 0.25)": _NOTHING_THERE,
    },
    "unbiased-kid": {
        "kernel(x, y) -> kernel(y, x)": "the mean of a matrix is that of its transpose",
        "a.shape[1] -> a.shape[-1]": _FROM_THE_END,
    },
    "hinge-losses": {
        "np.maximum(0, 1 - real) -> np.maximum(1 - real, 0)": _SYMMETRIC,
        "np.maximum(0, 1 + fake) -> np.maximum(1 + fake, 0)": _SYMMETRIC,
    },
    "demodulated-kernels": {
        "np.sum(scaled ** 2, axis=(1, 2, 3), keepdims=True) -> np.sum(scaled ** 2, axis=(3, 2, 1), keepdims=True)": (
            _SAME_AXES
        )
    },
    "cut-cost": {
        "[(np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])] -> "
        "[(np.s_[:, :-1], np.s_[:, 1:]), (np.s_[1:], np.s_[:-1])]": _EITHER_WAY,
        "[(np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])] -> "
        "[(np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:-1], np.s_[1:])]": _EITHER_WAY,
        "np.sum -> np.mean": "a third of all distances: beta, one over their mean, takes the factor out again",
        "np.maximum(2 * np.mean(apart), 1e-12) -> np.maximum(1e-12, 2 * np.mean(apart))": _SYMMETRIC,
        "np.maximum(2 * np.mean(apart), 1e-12) -> np.maximum(2 * np.mean(apart), 5e-13)": _FLOOR,
    },
    "keep-core": {"np.clip(depth / 3, 0, 1) -> np.clip(0, depth / 3, 1)": _CLIP},
    "visible-mean": {
        "x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, -1).mean((1, 3)) -> "
        "x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, -1).mean((3, 1))": _SAME_AXES,
        "x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, -1) -> "
        "x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, -2)": _ANY_NEGATIVE,
        "np.maximum(small, 1e-06) -> np.maximum(1e-06, small)": _SYMMETRIC,
        "np.maximum(small, 1e-06) -> np.maximum(small, 5e-07)": _FLOOR,
    },
    "score-test": {"rates[1] -> rates[-1]": _FROM_THE_END},
}


def answer_of(name):
    answer = ALL[name].answer
    if isinstance(answer, str):
        module, function = answer.split(":")
        answer = getattr(importlib.import_module(module), function)
    return answer


@pytest.mark.filterwarnings("ignore")  # what a mutant divides by zero is not this test's
@pytest.mark.parametrize("name", [name for name, one in ALL.items() if not one.open])
def test_no_mutant_of_a_right_answer_passes(name):
    """At least five give a result that is told from the right one; that others fail at once is not counted."""
    told, passed, slips = 0, set(), set()
    assert course.exercise(name).check(answer_of(name))
    for slip, function in mutants(answer_of(name)):
        said = course.exercise(name).check(function)
        told += said.status == "wrong" and " raises " not in said.message
        slips.add(slip)
        passed |= {slip} if said else set()
    assert passed <= set(EQUIVALENT.get(name, {})), "mend the check, or say why this is the same function"
    assert set(EQUIVALENT.get(name, {})) <= slips, "a reason for what no mutant is"
    assert told >= LEAST


def test_a_weak_check_is_found():
    """The tool can fail: a check that looks at the shape alone lets mutants through."""
    weak = exercises.Exercise("weak", "99", "", (), (lambda attempt: None if attempt([1.0], 0).shape == () else "no.",),
                              "", example)  # fmt: skip
    assert any(weak.check(function) for _, function in mutants(example))


# ---- open exercises ----------------------------------------------------------------------------------------------


def by_pixels(monkeypatch):
    """Distances of pixels in place of features: bounds are what is tested here."""
    monkeypatch.setattr(metrics, "style_distance", lambda a, b, size=0: float(np.abs(a - b).mean()))
    monkeypatch.setattr(metrics, "content_distance", lambda a, b, size=0: float(np.abs(a - b).mean()))


def same_product(monkeypatch):
    here = test_chapter01
    worse = [
        here.all_places,
        here.place_by_place,
        here.shallow,
        here.constant,
        lambda fs: here.rim(fs["block3_conv3"]).mean((1, 2)),
        lambda fs: fs["block4_conv3"].max((1, 2)),
    ]
    return here.Shop.given, chapter01.describe, worse


def pot_stays_red(monkeypatch):
    by_pixels(monkeypatch)
    here = test_chapter02
    pasted = here.POT * here.PHOTO + (1 - here.POT) * here.WAVE
    given = {"content": here.PHOTO, "style": here.WAVE, "pot": here.POT, "bounds": (0.14, 0.23, 17.5)}
    return given, here.styled(0.8, 0.1), [here.PHOTO, here.WAVE, here.styled(0.7, 0.7), here.styled(0.1, 0.8), pasted]


def logo_legible(monkeypatch):
    by_pixels(monkeypatch)
    photo, painting, region = test_course.LETTERS, test_course.PAINTING, test_course.REGION
    given = {"content": photo, "style": painting, "region": region}
    given |= {"style_bound": 0.3, "content_bound": 0.36, "edge_bound": 0.7}
    everywhere, pasted = 0.65 * painting + 0.35 * photo, region * photo + (1 - region) * painting
    return given, test_course.masked(0.7), [photo, everywhere, painting, pasted, np.zeros_like(photo)]


def strength_for_each(monkeypatch):
    by_pixels(monkeypatch)
    here = test_chapter04
    given = {"photos": here.SHELF, "style": "black", "stylizer": here.ToBlack(), "bound": here.BOUND}
    worse = [[1, 1, 1], [0, 0, 0], [0.33, 0.33, 0.33], [0.333, 0.52, 1], [0.333, 0.4, 1], here.EXACT[::-1]]
    return given, here.EXACT, worse


def within_two_bounds(monkeypatch):
    by_pixels(monkeypatch)
    here = test_chapter05
    yellow = np.zeros_like(here.PHOTO) + np.float32([1, 1, 0])
    worse = [here.PHOTO, here.PAINTING, here.mixed(0.5), here.mixed(0.75), np.ones_like(here.PHOTO), yellow]
    return {"content": here.PHOTO, "style": here.PAINTING, **here.BOUNDS}, here.mixed(0.62), worse


def style_budget(monkeypatch):
    def colors(a, b, size=0):
        return float(np.abs(np.mean(a, (0, 1)) - np.mean(b, (0, 1))).sum())

    monkeypatch.setattr(metrics, "style_distance", colors)
    monkeypatch.setattr(metrics, "content_distance", colors)
    here = test_chapter06
    start = feedforward.StyleNetwork(["mine"], feedforward.Architecture(4, 6, 4, 1, 3))
    start.last.bias.assign(np.zeros(3))
    untrained = finetune.with_styles(start, start.styles)
    worse = [untrained, here.everywhere(start), *(here.brighter(start, by) for by in (0.05, -1.0, -9.0))]
    return here.budget(start), here.brighter(start, 1.2), worse


def cure_collapse(monkeypatch):
    monkeypatch.setattr(metrics, "vgg_features", lambda pictures: 100 * np.mean(pictures, (1, 2)))
    here = test_chapter07
    made = (
        here.one_picture,
        here.two_pictures,
        lambda count: np.ones((count, 12, 12, 3), "float32"),
        lambda count: 0.2 * here.varied(count),
        lambda count: np.concatenate([here.one_picture(count - count // 4), here.varied(count // 4)]),
    )
    return here.budget(), here.painting(here.varied), [here.painting(make) for make in made]


def painter_on_a_budget(monkeypatch):
    from stylelab.adain import Decoder

    before, after, mine = decoders = [Decoder() for _ in range(3)]
    table = {id(before): (0.2, 1.0), id(after): (0.1, 1.5)}
    monkeypatch.setattr(chapter08_open, "_measured", lambda decoder, photo, painting: table[id(decoder)])

    def at(*distances):
        def train():
            table[id(mine)] = distances
            return mine

        return train

    worse = [*decoders[:2], *(at(*distances) for distances in ((0.15, 1.4), (0.17, 1.2), (0.3, 2.0), (0.1, 1.31)))]
    return {"before": before, "after": after, "size": 32}, at(0.15, 1.2), worse


def better_than_copying(monkeypatch):
    here = test_chapter09
    monkeypatch.setattr(metrics, "perceptual_distances", lambda a, b: np.abs(np.mean(a[..., 1] - b[..., 1], (1, 2))))
    worse = [
        np.copy,
        *(lambda p, by=by: here.greener(p, by) for by in (0.02, 0.04, -0.1)),
        here.bolder,
        here.half_of_them,
    ]
    return here.icons(), here.greener, worse


def new_chairs(monkeypatch):
    here = test_chapter10

    def quarters(some, size=None, batch=64):
        return np.asarray(some, "float64").reshape(len(some), 2, 8, 2, 8, 3).mean((2, 4)).reshape(len(some), -1)

    monkeypatch.setattr(metrics, "vgg_features", quarters)
    real, drawn = here.pictures(60), here.pictures(24, seed=1)
    one_copy = np.concatenate([real[:1], drawn[1:]])
    worse = [real[:24], one_copy, here.black_and_white(real), here.dull(real), np.ones_like(drawn), 0.3 * drawn]
    return {"real": real, **here.GIVEN}, drawn, worse


def on_brand(monkeypatch):
    def colors(a, b, size):
        return float(np.abs(a.mean((0, 1)) - b.mean((0, 1))).max())

    monkeypatch.setattr(metrics, "style_distance", colors)
    here = test_chapter11
    near = here.PRODUCT.rgb + np.float32(2 / 255)
    grounds = ([1, 1, 1], here.CREAM + 0.02, here.BLUE[0, 0], [1.0, 0.2, 0.1])
    given = {"product": here.PRODUCT, "style": here.BLUE, "slot": here.SLOT, "style_bound": 0.68}
    return given, here.on(here.GRAYER), [*map(here.on, grounds), here.on(here.GRAYER, near)]


def sell_and_know(monkeypatch):
    here = test_chapter12
    worse = [
        here.equal,
        here.leader,
        here.pure_thompson,
        lambda clicks, views, day: (clicks + 1) / (clicks + 1).sum(),
        lambda clicks, views, day: np.array([0.05, 0.05, 0.05, 0.85]),
        lambda clicks, views, day: views / views.sum() if day else np.eye(4)[0],
    ]
    return here.GIVEN, here.half_a_test, worse


STAGES = {
    stage.__name__.replace("_", "-"): stage
    for stage in (
        *(same_product, pot_stays_red, logo_legible, strength_for_each, within_two_bounds, style_budget),
        *(cure_collapse, painter_on_a_budget, better_than_copying, new_chairs, on_brand, sell_and_know),
    )
}


@pytest.mark.parametrize("name", [name for name, one in ALL.items() if one.open])
def test_no_worse_choice_passes_an_open_exercise(name, monkeypatch):
    """Judged by a metric: each sentence names a bound and what was measured."""
    given, right, worse = STAGES[name](monkeypatch)
    assert len(worse) >= LEAST
    assert course.exercise(name, **given).check(right), "the stage itself"
    for choice in worse:
        said = course.exercise(name, **given).check(choice)
        assert said.status == "wrong", said
        assert re.search(r"\d.*\((at most|at least) |each to lie within|up to \d+ of 255 levels", said.message)


# ---- what is kept ------------------------------------------------------------------------------------------------

RIGHT = "from stylelab.exercises.chapter06 import merged as answer"
WRONG = "def answer(kernel, a, b, alpha):\n    return kernel"
EMPTY = "def answer(kernel, a, b, alpha):\n    ..."
ASK = "\nfrom stylelab import course\nsaid = course.exercise('lora-merge').check(answer)"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The file in a reader's out folder, which is not there yet."""
    monkeypatch.setenv("STYLELAB_OUT", str(tmp_path / "out"))
    return tmp_path / "out" / "progress.json"


def run(code):
    """What a check says in a cell or a script, where a reader's names are those of ``__main__``."""
    names = {"__name__": "__main__"}
    exec(code + ASK, names)
    return names["said"]


def status(name="lora-merge"):
    (row,) = (row for row in progress.progress().rows if row.exercise == name)
    return row.words()


def test_results_are_kept_and_right_stays_right(kept):
    assert status() == "not attempted"
    assert str(run(WRONG)).startswith("Not yet: ")
    assert json.loads(kept.read_bytes()) == {"lora-merge": {"best": "wrong", "last": "wrong"}}
    assert status() == "wrong"
    assert str(run(RIGHT)) == f"Right: {ALL['lora-merge'].right}"
    assert status() == "right"
    assert not run(WRONG)
    assert status() == "right (last attempt: wrong)"
    assert progress.progress().total() == f"1 of {len(ALL)} exercises are right, 0 wrong, {len(ALL) - 1} not attempted."
    run(RIGHT)
    assert status() == "right"
    assert [path.name for path in kept.parent.iterdir()] == ["progress.json"]


def test_what_is_not_attempted_is_not_kept(kept):
    assert run(EMPTY).status == "not attempted"
    assert not kept.exists()
    run(RIGHT)
    before = kept.read_bytes()
    run(EMPTY)
    assert kept.read_bytes() == before


def test_nothing_is_kept_of_what_tests_ask(kept):
    ex = course.exercise("lora-merge")
    assert ex.check(ex.answer)
    assert not kept.exists()


def test_nothing_is_kept_of_an_exercise_of_ones_own(kept):
    code = "from stylelab.exercises import Exercise\nsaid = Exercise('mine', '01', '', (), (), '', print).check(print)"
    exec(code, names := {"__name__": "__main__"})
    assert names["said"]
    assert not kept.exists()


def test_a_script_is_a_readers(kept, tmp_path):
    (tmp_path / "mine.py").write_text(WRONG + ASK)
    subprocess.run([sys.executable, tmp_path / "mine.py"], cwd=ROOT, check=True, env=os.environ | {"PYTHONPATH": "."})
    assert status() == "wrong"


def test_a_cell_is_a_readers(kept):
    from IPython.core.interactiveshell import InteractiveShell

    assert InteractiveShell().run_cell(WRONG + ASK).success
    assert status() == "wrong"


def test_executing_the_chapters_keeps_nothing():
    """As they are stored, no exercise is attempted; ``python -m tests.notebooks.execute`` runs no other code."""
    asked = 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code" and re.search(r"^ex\.check\(", "".join(cell["source"]), re.M):
                said = "".join(cell["outputs"][-1]["data"]["text/plain"])
                assert said.startswith("Not attempted: "), path.name
                asked += 1
    assert asked == len(ALL)


BROKEN = [b"", b"{", b"[]", b"null", b'"right"', b"\xff\xfe\x00\xd8", b"[" * 100_000, b"\x00" * 50, b"1" * 10_000]


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content[:8]))
def test_a_broken_file_is_set_aside(kept, content):
    kept.parent.mkdir()
    kept.write_bytes(content)
    assert status() == "not attempted"
    fault = "out/progress.json is no record of progress that can be read."
    assert progress.progress().note == fault
    assert kept.read_bytes() == content, "looking changes nothing"
    said = run(RIGHT)
    assert said
    assert said.message.endswith(f"({fault} It is out/progress.broken.json now, and a new one has begun.)")
    assert kept.with_name("progress.broken.json").read_bytes() == content
    assert status() == "right"
    assert run(RIGHT).message == ALL["lora-merge"].right


def test_a_folder_in_its_place_is_set_aside(kept):
    kept.mkdir(parents=True)
    assert status() == "not attempted"
    assert "It is out/progress.broken.json now" in run(RIGHT).message
    assert status() == "right"


DEEP = json.loads("[" * 400 + "]" * 400)


@pytest.mark.parametrize(
    "entry",
    [
        *(None, "right", [], {}, {"best": "right"}, {"best": "great", "last": "right"}, {"best": ["right"], "last": 1}),
        *(DEEP, {"best": "right", "last": "right", "more": DEEP}),
    ],
    ids=range(9),
)
def test_an_entry_that_is_none_is_ignored(kept, entry):
    kept.parent.mkdir()
    kept.write_text(
        json.dumps({"lora-merge": entry, "convolution": entry, "adam-step": {"best": "right", "last": "right"}})
    )
    assert (status(), status("adam-step")) == ("not attempted", "right")
    note = "2 entries are ignored in out/progress.json: no result of an exercise of this course."
    assert progress.progress().note == note
    assert str(progress.progress()).endswith(f"\n{note}")
    run(WRONG)
    assert (status(), status("adam-step")) == ("wrong", "right")
    assert progress.progress().note == ""


def test_an_exercise_of_another_version_is_left_alone(kept):
    kept.parent.mkdir()
    other = {"best": "right", "last": "wrong"}
    kept.write_text(json.dumps({"of-chapter-99": other, "of-chapter-98": other}))
    assert progress.progress().note.startswith("2 entries are ignored in out/progress.json")
    run(RIGHT)
    assert json.loads(kept.read_bytes())["of-chapter-99"] == other


def test_what_cannot_be_written_is_one_sentence_and_the_check_holds(kept):
    kept.parent.write_text("a file in the folder's place")
    said = run(RIGHT)
    assert said
    assert said.message.startswith(f"{ALL['lora-merge'].right} (Your progress is not kept: ")
    assert said.message.endswith("cannot be written: a part of its path is a file, not a folder; check the path.)")
    assert status() == "not attempted"
    assert kept.parent.read_text() == "a file in the folder's place"


def test_a_file_that_cannot_be_set_aside_stays(kept):
    kept.parent.mkdir()
    kept.write_bytes(b"{")
    (kept.parent / "progress.broken.json" / "full").mkdir(parents=True)
    said = run(RIGHT)
    assert said
    assert "Your progress is not kept: out/progress.json is no record" in said.message
    assert kept.read_bytes() == b"{"


# ---- how it is shown ---------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_a_sum(kept, capsys):
    run(RIGHT)
    run(WRONG)
    assert main(["progress"]) == 0
    head, *rows, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["Chapter", "Exercise", "What", "Status"]
    assert len(rows) == len(ALL)
    assert [row.split()[0] for row in rows] == sorted(one.chapter for one in ALL.values())
    (mine,) = (row for row in rows if " lora-merge " in row)
    assert re.fullmatch(r"06 +lora-merge +merged\(kernel, a, b, alpha\) -> the .* right \(last attempt: wrong\)", mine)
    assert sum(row.endswith("  not attempted") for row in rows) == len(ALL) - 1
    assert total == f"1 of {len(ALL)} exercises are right, 0 wrong, {len(ALL) - 1} not attempted."
    assert max(map(len, rows)) <= 120


def test_the_command_as_json(kept, capsys):
    run(WRONG)
    kept.write_text(kept.read_text().replace("{", '{"nobody": 1, ', 1))
    assert main(["progress", "--json"]) == 0
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert {row["exercise"]: row["status"] for row in rows} == dict.fromkeys(ALL, "not attempted") | {
        "lora-merge": "wrong"
    }
    assert said.err == ("note: 1 entry is ignored in out/progress.json: no result of an exercise of this course.\n")


def test_the_open_exercise_is_a_chapters_last():
    rows = progress.progress().rows
    last = {row.chapter: row.exercise for row in rows}
    assert all(ALL[name].open for name in last.values())
    assert set(last) == set(CHAPTERS)


class Table(HTMLParser):
    """The text of each cell, row by row, and the elements with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.elements, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_a_notebook_shows_the_same_in_words(kept):
    run(RIGHT)
    shown = course.progress()
    table = Table(shown._repr_html_())
    assert table.rows[0] == ["Chapter", "Exercise", "What", "Status"]
    assert [tuple(row) for row in table.rows[1:]] == [
        (row.chapter, row.exercise, row.what, row.words()) for row in shown.rows
    ]
    assert shown.total() in table.text
    scopes = [attributes.get("scope") for tag, attributes in table.elements if tag == "th"]
    assert scopes == ["col"] * 4 + ["row"] * len(ALL)
    assert not [
        attributes for _, attributes in table.elements if re.search(r"(^|[; ])color:", attributes.get("style", ""))
    ]


def test_what_a_file_says_is_never_markup(kept):
    row = progress.Row("01", "<b>", "<script>", "wrong", "wrong")
    html = progress.Progress((row,), "<i>")._repr_html_()
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;" in html


def test_the_command_needs_no_tensorflow(kept):
    code = "import sys\nfrom stylelab.cli import main\nmain(['progress'])\nsys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
