"""Reading a catalog, and what its SKUs become as names of files and in spreadsheets.

Oracles: Python's own ``csv`` and pandas write what is read here; the rules of names are Windows's and POSIX's, spelled
out again in this file.
"""

import contextlib
import csv
import io
import itertools
import random
import re
import tracemalloc
import unicodedata

import pandas as pd
import pytest

from stylelab.catalog import ledger, names, tables
from stylelab.errors import ImageError, SettingsError, StyleLabError

PLAIN = "sku,image,title\nA1,a.png,Shoe\nB2,b.png,Größe 40\n"
ROWS = [("A1", "a.png", "Shoe"), ("B2", "b.png", "Größe 40")]


def read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(tables.entries(path))


def fields(rows):
    return [(row.sku, row.image, row.title) for row in rows]


# ---------------------------------------------------------------- CSV as programs write it


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_spellings_of_one_table(encoding, delimiter, end, tmp_path):
    content = PLAIN.replace(",", delimiter).replace("\n", end)
    assert fields(read(tmp_path / "c.csv", content.encode(encoding))) == ROWS


@pytest.mark.parametrize("seed", range(20))
def test_round_trip_of_any_text(seed, tmp_path):
    chance = random.Random(seed)
    signs = "aZ0 ,;\"'\t\n=|äß京🥿<>&"
    rows = [tuple(f"x{''.join(chance.choices(signs, k=chance.randrange(12)))}x" for _ in range(3)) for _ in range(20)]
    dialect = {"delimiter": chance.choice(",;\t|"), "quoting": chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])}
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, **dialect)
    writer.writerow(("sku", "image", "title"))
    writer.writerows(rows)
    assert fields(read(tmp_path / "c.csv", buffer.getvalue())) == rows


def test_text_stays_text(tmp_path):
    values = ["007", "NA", "null", "1e5", "TRUE", "nan", "1.50", "2024-01-02", "-"]
    rows = read(tmp_path / "c.csv", "sku,image\n" + "".join(f"{value},{value}\n" for value in values))
    assert [row.sku for row in rows] == [row.image for row in rows] == values


def test_columns_are_found_by_name_and_others_are_left_alone(tmp_path):
    content = 'price; Image ;GROUP;SKU;mask\n"1,50"; a.png ;Shoes;A1;m.png\n'
    (row,) = read(tmp_path / "c.csv", content)
    assert row == tables.Row(2, "A1", "a.png", "m.png", "", "Shoes")


def test_excels_own_first_line(tmp_path):
    (row,) = read(tmp_path / "c.csv", "sep=;\r\nsku;image\r\nA;a.png\r\n")
    assert (row.number, row.sku, row.image) == (3, "A", "a.png")


def test_a_number_is_the_line_where_the_row_begins(tmp_path):
    content = 'sku,image,title\nA,a,"two\nlines"\n\nB,b,"\n"\n,,\nC,c\n'
    rows = read(tmp_path / "c.csv", content)
    assert [(row.sku, row.number) for row in rows] == [("A", 2), ("B", 5), ("C", 8)]
    assert not any(row.fault for row in rows)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (",a.png", "no sku"),
        ("  ,a.png", "no sku"),
        ("A,", "no image"),
        ("A", "no image"),
        (",,title", "no sku and no image"),
        ("A,a.png,Shoe, size 40", "more fields than the header"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(line, words, tmp_path):
    good, bad = read(tmp_path / "c.csv", f"sku,image,title\nX,x.png,\n{line}\n")
    assert good.fault == ""
    assert bad.fault.startswith("Row 3 of the catalog cannot be used: ") and words in bad.fault


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no column sku and no image (found: none)"),
        ("article,picture\nA,a\n", "no column sku and no image (found: article, picture)"),
        ("sku,picture\nA,a\n", "no column image (found: sku, picture)"),
        ("sku,image\n", "no rows"),
        ("sku,image\n\n , \n", "no rows"),
        ("sku,image,SKU\nA,a,B\n", "2 columns 'sku': keep one"),
        ("sku,image\nGröße,a\n".encode("cp1252"), "not written in UTF-8"),
        ("sku,image,größe\nA,a,1\n".encode("latin-1"), "not written in UTF-8"),
        ("sku,image\nA,a\n".encode("utf-16-le"), "no text"),
        ('sku,image\nA,"a.png\nB,b.png\n', "quotation mark"),
        ('sku,image\n"A"x,a\n', "quotation mark"),
        ("sku,image\nA," + "x" * 200_000 + "\n", "field larger than field limit"),
        (b"PK\x03\x04" + bytes(50), "an Excel workbook"),
        (b"PAR1" + bytes(50), "damaged Parquet"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "not written in UTF-8"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_file_that_is_no_catalog_is_one_sentence(content, words, tmp_path):
    with pytest.raises(SettingsError, match=re.escape(words)) as raised:
        read(tmp_path / "c.csv", content)
    assert str(tmp_path / "c.csv") in str(raised.value)
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read(make, tmp_path):
    make(tmp_path / "c.csv")
    with pytest.raises(ImageError, match=r"The catalog .*c\.csv cannot be read"):
        list(tables.entries(tmp_path / "c.csv"))


def test_length_costs_no_memory(tmp_path):
    def peak(rows):
        content = "sku,image,title\n" + "".join(f"S{n},{n}.png,{'t' * 100}\n" for n in range(rows))
        (tmp_path / "c.csv").write_text(content)
        tracemalloc.start()
        assert sum(1 for _ in tables.entries(tmp_path / "c.csv")) == rows
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    assert peak(5_000) < 1.2 * peak(500)


# ---------------------------------------------------------------- Parquet


def test_parquet_as_pandas_writes_it(tmp_path):
    table = pd.DataFrame(
        {
            "image": ["a.png", "b.png", None, "d.png"],
            "sku": [7, 8, 9, None],  # floats, because of the gap
            "title": pd.Categorical(["x", "y", None, "x"]),
            "price": [1.5, 2.5, 3.5, 4.5],
        }
    )
    table.to_parquet(tmp_path / "c.parquet")
    rows = list(tables.entries(tmp_path / "c.parquet"))
    assert fields(rows) == [("7", "a.png", "x"), ("8", "b.png", "y"), ("9", "", ""), ("", "d.png", "x")]
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert ["no image" in row.fault for row in rows] == [False, False, True, False]
    assert "no sku" in rows[3].fault


def test_parquet_is_known_by_its_content_and_read_in_batches(tmp_path):
    count = 2 * tables.BATCH + 1
    skus = [f"S{n}" for n in range(count)]
    pd.DataFrame({"sku": skus, "image": skus}).to_parquet(tmp_path / "catalog.csv", row_group_size=700)
    assert [row.sku for row in tables.entries(tmp_path / "catalog.csv")] == skus


def test_parquet_without_a_column_or_row(tmp_path):
    pd.DataFrame({"sku": ["A"]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(SettingsError, match="no column image"):
        list(tables.entries(tmp_path / "c.parquet"))
    pd.DataFrame({"sku": [], "image": []}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(SettingsError, match="no rows"):
        list(tables.entries(tmp_path / "c.parquet"))


# ---------------------------------------------------------------- names

HOSTILE = [
    "../../etc/passwd", "..", ".", "...", "/etc/passwd", "C:\\Windows\\x", "\\\\server\\share", "a/b", "a\\b", "~root",
    "con", "CON", "Con.txt", "aux.1", "nul", "COM1", "com¹", "LPT9.x", "conin$", "prn", "trailing.", "trailing ",
    " lead", ".hidden", "-rf", "--help", "a:b", "a*b?", 'a"b', "a<b>c", "a|b", "a\nb", "a\tb", "a\0b", "\x7f",
    "\u202egnp.exe",
    "\u200b", "\ufeffA", "é", "e\u0301", "É", "ß", "SS", "ss", "ﬁ", "fi", "Ａ", "A", "a", "K", "\u212a", "京都", "🥿",
    "", "x" * 300, "x" * 299 + "y", "京" * 300, "\U0001f600" * 100, "A~2", "A.0123456789ab", "=1+1", "<script>",
    "%2e%2e", "$(rm)", "`x`", "a b", "Ω", "\u2126", "İ", "i̇", "ı", "I",
]  # fmt: skip
ORDINARY = ["AR4561-40", "404.038.96-mustard", "799872520", "B07D78JTLR", "Größe_40", "鞋-40", "a.b.c", "_x", "A" * 40]


@pytest.mark.parametrize("sku", ORDINARY)
def test_an_ordinary_sku_is_its_own_name(sku):
    assert names.folder(sku) == sku


@pytest.mark.parametrize("sku", HOSTILE, ids=ascii)
@pytest.mark.parametrize("alone", [True, False])
def test_a_name_is_one_that_every_system_takes(sku, alone, tmp_path):
    name = names.folder(sku, alone)
    assert 0 < len(name.encode()) <= 200
    assert not re.search(r'[\x00-\x1f\x7f<>:"/\\|?*~]', name)  # Windows's and ours
    assert name[0] not in ".-" and name[-1] not in ". " and ".." not in name
    assert not re.match(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", name)
    assert unicodedata.normalize("NFC", name) == name
    assert all(unicodedata.category(sign)[0] in "LN" or sign in "_-." for sign in name)
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert names.folder(sku, alone) == name


@pytest.fixture
def planned():
    """A ledger of rows for SKUs with different images; closed at the end, as Python 3.13 wants it."""
    with contextlib.ExitStack() as stack:

        def plan(skus, images=None):
            book = stack.enter_context(contextlib.closing(ledger.Ledger()))
            images = images or [f"{number}.png" for number in range(len(skus))]
            book.plan(tables.Row(k + 1, sku, image) for k, (sku, image) in enumerate(zip(skus, images, strict=True)))
            return book

        yield plan


def test_no_two_rows_share_a_place_on_any_file_system(planned):
    chance = random.Random(0)
    skus = HOSTILE + ORDINARY + [a.upper() for a in ORDINARY] + [a.lower() for a in ORDINARY] + HOSTILE[:9]
    skus += ["".join(chance.choices("aAbB.-/ é\u0301~2", k=chance.randrange(1, 5))) for _ in range(2000)]
    skus = [sku for sku in skus if sku]
    stems = [known.stem for known in planned(skus).usable()]
    places = {unicodedata.normalize("NFKC", stem).casefold() for stem in stems}
    assert len(stems) == len(skus) == len(places)


def test_a_sku_with_several_pictures_numbers_them(planned):
    book = planned(["A", "B", "A", "A", "a~2"], ["1.png", "1.png", "2.png", "1.png", "3.png"])
    known = list(book.usable())
    assert [(row.row.sku, row.variant) for row in known] == [("A", 1), ("B", 1), ("A", 2), ("a~2", 1)]
    assert [row.stem for row in known[:3]] == ["A", "B", "A~2"]
    (bad,) = [row for row in book.reported() if row.row.fault]
    assert bad.row.fault == "Row 4 of the catalog repeats row 1: delete one of them."
    assert (bad.state, book.counts()) == ("failed", {"failed": 1, "review": 0, "open": 4, "done": 0})


def test_skus_that_differ_in_case_alone_are_told_apart(planned):
    first, second, third = (known.stem for known in planned(["Shoe", "SHOE", "Shoes"]).usable())
    assert re.fullmatch(r"Shoe\.[0-9a-f]{12}", first) and re.fullmatch(r"SHOE\.[0-9a-f]{12}", second)
    assert third == "Shoes"


# ---------------------------------------------------------------- spreadsheets and pages

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\ufeff=1",
    "＝1",
    '=HYPERLINK("http://x")',
    "|x",
]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_cell_begins_a_formula(text):
    cell = names.cell(text)
    assert cell[0] == "'" and cell.lstrip("'").strip("\ufeff \t") != ""
    (parsed,) = next(csv.reader([next(iter(io.StringIO(cell)))]))[:1]
    assert parsed[0] == "'"


@pytest.mark.parametrize("text", ["", "Shoe", "a=b", "40-42", "Größe", "'x", "a,b", 'a"b'])
def test_other_cells_stay_as_they_are(text):
    assert names.cell(text) == text


def test_a_cell_stays_one_line():
    for sign in itertools.chain("\n\r\t\0\x0b\x0c\x1b\x85", "\u2028\u2029"):
        assert len(names.cell(f"a{sign}=b").splitlines()) == 1


def test_control_characters_are_shown_and_not_obeyed():
    assert names.displayable("a\x1b[2Jb\0\x07\r\n京") == "a�[2Jb����京"


def test_every_sentence_is_a_stylelab_error():
    assert issubclass(SettingsError, StyleLabError)
