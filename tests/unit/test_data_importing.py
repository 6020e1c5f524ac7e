import pytest

from shop.datasets.importing import reading
from shop.datasets.importing.categories import CategoryPath, CategoryPlan
from shop.datasets.importing.entry import COLUMNS, RefusedRow, check
from shop.datasets.importing.reading import rows
from shop.errors import ConfigurationError

GOOD = {"title": "Blue Mug", "brand": "Tern", "category": "Kitchen > Mugs", "price": "12.99", "on_hand": "4"}


def test_valid_row_has_cents_and_generated_slug():
    entry = check(GOOD)
    assert (entry.slug, entry.is_slug_generated, entry.price, entry.on_hand) == ("tern-blue-mug", True, 1299, 4)
    assert (entry.path, entry.path_slugs) == (("Kitchen", "Mugs"), None)


def test_absent_fields_say_nothing_and_empty_ones_empty():
    entry = check({"slug": "blue-mug", "price": "9"})
    assert (entry.is_slug_generated, entry.price) == (False, 900)
    assert (entry.title, entry.brand, entry.path, entry.description, entry.on_hand) == (None,) * 5
    for empty in ("", " ", None):
        entry = check({"slug": "blue-mug", "brand": empty, "description": empty})
        assert (entry.brand, entry.description) == ("Unbranded", "")


@pytest.mark.parametrize("name", ["title", "category", "price", "on_hand"])
@pytest.mark.parametrize("empty", ["", None])
def test_a_required_value_is_not_emptied(name, empty):
    with pytest.raises(RefusedRow, match=f"{name} is empty"):
        check({"slug": "blue-mug", name: empty})


@pytest.mark.parametrize("name", ["title", "category", "price"])
def test_row_without_slug_needs_all_required_fields(name):
    with pytest.raises(RefusedRow, match=f"{name} is missing"):
        check({key: value for key, value in GOOD.items() if key != name})


def test_category_slugs_work_alone_or_with_names():
    by_slugs = {"category_slug": "kueche > becher", "category": ""}
    assert check({**GOOD, **by_slugs}).path_slugs == ("kueche", "becher")
    both = check({**GOOD, "category": "台所 > カップ", "category_slug": "daidokoro > kappu"})
    assert (both.path, both.path_slugs) == (("台所", "カップ"), ("daidokoro", "kappu"))


PRESENT = [(1, "kitchen", "Kitchen", None), (2, "mugs", "Mugs", 1), (3, "home", "Home", None)]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("kitchen", "MUGS", "", ""), (2, "mugs")),
        (("", "", "kitchen", "mugs"), (2, "mugs")),
        (("Kitchen", "Cups", "", ""), (None, "cups")),
        (("Home", "Mugs", "", ""), (None, "home-mugs")),
        (("台所", "カップ", "daidokoro", "kappu"), (None, "kappu")),
    ],
)
def test_category_is_found_by_slug_or_name_or_planned(path, found):
    category = CategoryPlan(PRESENT).find(CategoryPath(*path))
    assert (category.id, category.slug) == found


def test_names_that_become_one_slug_are_two_categories():
    plan = CategoryPlan(PRESENT)
    slugs = [plan.find(CategoryPath("Code", name, "", "")).slug for name in ("C#", "C++", "C", "C#")]
    assert slugs == ["c", "code-c", "c-2", "c"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("Kitchen", "カップ", "", ""), "no slug can be made from the category 'カップ'"),
        (("", "", "kitchen", "cups"), "there is no category 'cups': name it"),
        (("Kitchen", "Cups", "kitchen", "mugs"), "category_slug 'mugs' is that of 'Kitchen > Mugs'"),
        (("Home", "Mugs", "home", "mugs"), "category_slug 'mugs' is that of 'Kitchen > Mugs'"),
        (("Kitchen", "Mugs", "kitchen", "cups"), "category 'Mugs' is there already, and its slug is 'mugs'"),
    ],
)
def test_a_category_that_cannot_be_found_or_made_is_refused(path, reason):
    with pytest.raises(RefusedRow, match=reason):
        CategoryPlan(PRESENT).find(CategoryPath(*path))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"title": " "}, "title is empty"),
        ({"title": "x" * 201}, "title has 201 characters"),
        ({"title": "日本", "brand": ""}, "no slug can be made"),
        ({"title": "Caf\udce9"}, "title is not UTF-8"),
        ({"description": "bell\x07"}, "control characters"),
        *[({name: "half \ud800"}, f"{name} contains half a character") for name in COLUMNS],
        ({"description": "x" * 10_001}, "description has 10,001"),
        ({"description": "x\n" * 6_000}, "description has 11,999 characters on 6,000 lines; the limit is 10,000"),
        ({"brand": "x" * 61}, "brand has 61 characters; the limit is 60"),
        ({"category": f"{'x' * 61} > Mugs"}, "department has 61 characters; the limit is 60"),
        ({"category": f"Kitchen > {'x' * 61}"}, "category has 61 characters; the limit is 60"),
        *[({name: "two\nlines"}, f"{name} goes over more than one line") for name in COLUMNS if name != "description"],
        ({"title": "two\u2028lines"}, "title goes over more than one line"),
        ({"title": "tab\tbed"}, "title contains control characters"),
        ({"title": "from\x80Windows"}, "title contains control characters"),
        ({"slug": "Not A Slug"}, "slug 'Not A Slug' is not"),
        ({"category_slug": "mugs"}, "is not of the form"),
        ({"category_slug": "Kitchen > mugs"}, "category_slug 'Kitchen' is not"),
        ({"category": "Mugs"}, "is not of the form"),
        ({"category": "A > B > C"}, "is not of the form"),
        ({"price": "12,99"}, "write a point before the cents"),
        ({"price": "free"}, "is not an amount"),
        ({"price": "-1"}, "is not an amount"),
        ({"price": "0"}, "is not between"),
        ({"price": "1.999"}, "is not an amount"),
        ({"price": "9999999"}, "is not between"),
        ({"on_hand": "-2"}, "on_hand '-2' is not"),
        ({"on_hand": "1000001"}, "is not a whole number"),
        ({"on_hand": ["4"]}, "neither text nor a number"),
    ],
)
def test_a_bad_row_is_refused_with_the_reason(fault, reason):
    with pytest.raises(RefusedRow, match=reason.replace("(", r"\(")):
        check({**GOOD, **fault})


def test_description_may_have_lines_and_names_their_maximum_length():
    long = {"title": "x" * 200, "brand": "b" * 60, "category": f"{'d' * 60} > {'c' * 60}", "description": "a\n\tb\r\nc"}
    entry = check({**GOOD, **long})
    assert (entry.description, entry.path) == ("a\n\tb\r\nc", ("d" * 60, "c" * 60))


def found(tmp_path, name, content, **options):
    path = tmp_path / name
    path.write_bytes(content)
    return list(rows(path, **options))


def test_byte_order_mark_quotes_and_line_breaks_are_read(tmp_path):
    content = (
        b'\xef\xbb\xbfTitle,category,price\r\n"A ""big"" mug","K > M",1\r\n"two\nlines",K > M,2\r\nlast,K > M,3\r\n'
    )
    assert [(line, fields["title"]) for line, fields in found(tmp_path, "a.csv", content)] == [
        (2, 'A "big" mug'),
        (3, "two\nlines"),
        (5, "last"),
    ]


def test_unreadable_row_does_not_hide_the_next(tmp_path):
    content = b'title,category,price\nx"y,K > M,1\n"a"b,K > M,1\nshort,1\n\ngood,K > M,1\n'
    kinds = [(line, isinstance(fields, RefusedRow)) for line, fields in found(tmp_path, "a.csv", content)]
    assert kinds == [(2, False), (3, True), (4, True), (6, False)]


def good_and_bad(tmp_path, *lines):
    """Return the titles of the rows that are taken, and the lines of those that are refused."""
    content = "\n".join(("title,description,category,price", *lines, "")).encode()
    rows = found(tmp_path, "a.csv", content)
    bad = [line for line, fields in rows if isinstance(fields, RefusedRow)]
    return [fields["title"] for _, fields in rows if not isinstance(fields, RefusedRow)], bad


@pytest.mark.parametrize("unclosed", ['"bad,,K > M,1', 'bad,"Blue,K > M,1', 'bad,,K > M,"1'])
@pytest.mark.parametrize("end", ["last,,K > M,1", 'last,"with, quotes",K > M,1', 'last,"two\nlines",K > M,1'])
@pytest.mark.parametrize("until_the_end", [5, 50])
def test_unclosed_quote_loses_only_its_own_line(tmp_path, monkeypatch, unclosed, end, until_the_end):
    monkeypatch.setattr(reading, "MAX_LINE", 400)
    swallowed = [f"mug {number},,K > M,1" for number in range(until_the_end)]
    good, bad = good_and_bad(tmp_path, "first,,K > M,1", unclosed, *swallowed, end)
    assert good == ["first", *(line.split(",")[0] for line in swallowed), "last"]
    assert bad == [3]


def test_rest_of_a_row_with_unmatched_quotes_is_refused(tmp_path):
    assert good_and_bad(tmp_path, 'bad,"two', 'lines"x,K > M,1', '"more', 'lines",d,K > M,1') == (
        ["more\nlines"],
        [2, 3],
    )
    assert good_and_bad(tmp_path, '"bad', 'two"x,d,K > M,1', "good,,K > M,1") == (["good"], [2, 3])


def test_a_row_that_never_ends_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE", 100)
    good, bad = good_and_bad(tmp_path, '"a', *['","a'] * 60, 'a"', "good,,K > M,1")
    assert good == ["good"]
    assert bad == list(range(2, 64))


def test_error_names_the_lines_of_a_wrong_row(tmp_path):
    content = b'title,category,price\n"a\nb",K > M,1,2\n'
    ((line, refused),) = found(tmp_path, "a.csv", content)
    assert (line, str(refused)) == (2, "4 fields where the header has 3, on lines 2 to 3: is a quote missing?")


def test_a_huge_line_is_refused_and_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE", 100)
    content = b"title,category,price\n" + b"x" * 1_000 + b",K > M,1\ngood,K > M,1\n"
    (line, fields), (next_line, good) = found(tmp_path, "a.csv", content)
    assert (line, next_line, good["title"]) == (2, 3, "good")
    assert "longer than" in str(fields)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"title;category;price\n", "separated by semicolons"),
        (b"title\tcategory\tprice\n", "separated by tabs"),
        (b"title,category,prise\n", "did you mean 'price'"),
        (b"title,category\n", "does not name the column 'price'"),
        (b"title,title,category,price\n", "names a column twice"),
        ("title,category,price\n".encode("utf-16"), "is not UTF-8: save the file in that encoding"),
        ("title,category,price\n".encode("utf-16-be"), "is not UTF-8"),
        ("títle,category,price\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_wrong_header_stops_import_with_a_remedy(tmp_path, content, message):
    with pytest.raises(ConfigurationError, match=message):
        found(tmp_path, "a.csv", content)


def test_a_header_without_end_is_not_called_an_encoding(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE", 100)
    with pytest.raises(ConfigurationError, match="the first line cannot be read: the line is longer than"):
        found(tmp_path, "a.csv", b"title," * 50)


def test_another_delimiter_can_be_named(tmp_path):
    ((_, fields),) = found(tmp_path, "a.csv", b"title;category;price\na;K > M;1\n", delimiter=";")
    assert fields["category"] == "K > M"


def test_json_lines_are_read_and_faults_named(tmp_path):
    content = b'{"title": "a", "price": 12.99}\n\nnot json\n[1]\n{"titel": "x"}\n'
    (first, *bad) = found(tmp_path, "a.jsonl", content)
    assert first[0] == 1
    assert str(first[1]["price"]) == "12.99"
    assert [line for line, _ in bad] == [3, 4, 5]
    assert "did you mean 'title'" in str(bad[2][1])


def test_json_lines_in_another_encoding_are_refused_for_that(tmp_path):
    content = '{"title": "a"}\n'.encode("utf-16")
    assert "is not UTF-8" in str(found(tmp_path, "a.jsonl", content)[0][1])


@pytest.mark.parametrize("header", [b"slug,price", b"slug", b"title,category_slug,price"])
def test_header_needs_only_slug_or_category_slug(tmp_path, header):
    assert found(tmp_path, "a.csv", header + b"\n") == []


def test_a_missing_file_and_an_unknown_format_are_said(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path / "some.xlsx"):
        with pytest.raises(ConfigurationError):
            list(rows(path))
