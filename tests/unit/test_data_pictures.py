import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from shop.catalog.pictures import drawing as pictures
from shop.catalog.pictures.drawing import draw, drawing_version, motifs, picture_url
from shop.catalog.pictures.motifs import clothes, devices, gadgets
from shop.catalog.pictures.motifs.nouns import NOUNS, drawing_of
from shop.datasets.complete_journey import categories
from shop.datasets.demo import assortment
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.sizes import SIZES
from shop.datasets.slugs import slugify

SLUGS = [f"tidewick-everyday-stoneware-mug-{number}" for number in range(40)]


@pytest.mark.parametrize("motif", motifs())
def test_a_picture_is_small_well_formed_and_titled(motif):
    for slug in SLUGS:
        svg = draw(motif, slug)
        assert ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}title").text.endswith(motif)  # noqa: S314
        assert len(svg.encode()) < 3_000


@pytest.mark.parametrize("motif", motifs())
def test_two_products_look_different_and_one_always_the_same(motif):
    pictures = [draw(motif, slug) for slug in SLUGS]
    assert len(set(pictures)) == len(SLUGS)
    assert pictures == [draw(motif, slug) for slug in SLUGS]


def test_cookware_has_the_outline_its_title_names():
    nouns = {"frying-pan", "saucepan", "casserole", "wok", "griddle", "stockpot", "roasting-tin"}
    titles = {re.search("<title>(.*)</title>", draw("pan", f"hardy-copper-{noun}-24-cm"))[1] for noun in nouns}
    assert titles == {f"Drawing of a {noun.replace('-', ' ')}" for noun in nouns}
    assert "Drawing of a pan" in draw("pan", "hardy-copper-lid")


def test_every_noun_of_the_data_has_a_listed_drawing():
    asked = {(category.motif, slugify(noun)) for category in assortment.load().categories for noun in category.nouns}
    listed = [
        (motif, noun) for motif, drawings in NOUNS.items() for nouns in drawings.values() for noun in nouns.split()
    ]
    assert asked == set(listed)
    assert len(set(listed)) == len(listed)


def test_last_and_longest_noun_of_the_slug_decides():
    assert drawing_of("camera", "kite-pocket-camera-bag-black") is clothes.satchel
    assert drawing_of("camera", "lens-and-co-camera-black") is devices.camera
    assert drawing_of("phone", "pebblewave-slim-magnetic-car-mount-sand") is gadgets.car_mount
    assert drawing_of("phone", "a-thing-without-a-noun") is None
    assert drawing_of("no-such", "a-car-mount") is None


def test_pictures_of_generated_products_are_small_and_well_formed():
    products = DemoProducts(assortment.load(), SIZES["s"])
    for number in range(1, products.count + 1):
        product = products[number]
        motif = products.assortment.categories[product.category].motif
        assert drawing_of(motif, product.slug) is not None, product.slug
    for motif, drawings in NOUNS.items():
        for nouns in drawings.values():
            svg = draw(motif, f"a-{nouns.split()[0]}")
            ElementTree.fromstring(svg)  # noqa: S314 - our own
            assert len(svg.encode()) < 3_500, nouns


def test_an_unknown_motif_is_drawn_as_a_parcel():
    assert draw("no-such-thing", "a") == draw("parcel", "a")


def test_a_slug_that_names_a_colour_gets_it():
    sage = {part for part in draw("mug", "a-mug-sage").split('"') if part.startswith("#")}
    again = {part for part in draw("mug", "another-cup-sage").split('"') if part.startswith("#")}
    assert sage & again


def test_markup_in_a_seed_is_escaped():
    assert "<script" not in draw("<script>", '"><script>')


def test_every_motif_the_data_asks_for_can_be_drawn():
    asked = {category.motif for category in assortment.load().categories} | set(categories.MOTIFS.values())
    assert asked <= set(motifs())


def test_the_address_of_a_picture_names_motif_and_product():
    assert picture_url("mug", "a-mug") == f"/pictures/{drawing_version()}/mug/a-mug.svg"
    assert re.fullmatch("[0-9a-f]{12}", drawing_version())  # matches the edge's pattern


@pytest.mark.parametrize("changed", [None, "drawing.py", "motifs/pen.py", "motifs/kitchen.py"])
def test_picture_url_changes_with_the_drawing_code(monkeypatch, tmp_path, changed):
    """The version is independent of the directory: each host computes the same one."""
    before, here = drawing_version(), Path(pictures.__file__).parent
    shutil.copytree(here / "motifs", tmp_path / "motifs")
    shutil.copy(here / "drawing.py", tmp_path)
    if changed:
        with (tmp_path / changed).open("a") as file:
            file.write("# another line\n")
    monkeypatch.setattr(pictures, "__file__", str(tmp_path / "drawing.py"))
    assert (drawing_version.__wrapped__() == before) == (changed is None)
