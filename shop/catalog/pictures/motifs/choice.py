"""All motifs of categories, by name, and the drawing of each product.

To add a motif, write a function of a :class:`PicturePen` in one of the modules, and list it. To add the drawing of a
thing, list it in :mod:`shop.catalog.pictures.motifs.nouns` with the words that name it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shop.catalog.pictures.motifs import devices, food, kitchen, outdoors, play, rooms, wear
from shop.catalog.pictures.motifs.nouns import drawing_of
from shop.catalog.pictures.motifs.pen import Motif

FALLBACK = "parcel"
"""Drawn for an unknown motif."""

_DRAWN: tuple[Motif, ...] = (
    *(kitchen.mug, kitchen.plate, kitchen.pan, kitchen.knife, kitchen.towel, kitchen.teapot, kitchen.flask),
    *(food.beans, food.chocolate, food.jar, food.bottle, food.fruit, food.vegetable, food.bread, food.cheese),
    *(food.fish, food.meat, food.carton, food.can, food.cake),
    *(rooms.lamp, rooms.candle, rooms.cushion, rooms.bed, rooms.chair, rooms.table, rooms.sofa, rooms.shelf),
    *(rooms.desk, rooms.soap),
    *(wear.shirt, wear.trousers, wear.jumper, wear.shoe, wear.bag, wear.backpack, wear.gem, wear.watch, wear.pump),
    *(wear.perfume, wear.brush, wear.medicine),
    *(devices.headphones, devices.phone, devices.speaker, devices.keyboard, devices.camera, devices.book),
    *(devices.notebook, devices.pen, devices.card, devices.paint, devices.parcel),
    *(outdoors.plant, outdoors.pot, outdoors.seeds, outdoors.flower, outdoors.trowel, outdoors.tool, outdoors.tent),
    *(outdoors.bicycle, outdoors.ball, outdoors.dumbbell),
    *(play.blocks, play.bear, play.puzzle, play.dice, play.paw, play.cat),
)
MOTIFS: Mapping[str, Motif] = MappingProxyType({motif.__name__: motif for motif in _DRAWN})


def motif_for(name: str, slug: str) -> Motif:
    """Return the function that draws a product: what its slug names, such as a wok, else the motif of its category.

    Args:
        name: of the motif, listed in :data:`MOTIFS`.
        slug: of the product.
    """
    return drawing_of(name, slug) or MOTIFS[name]
