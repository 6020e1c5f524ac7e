"""All motifs, by name. To add one, write a function of a :class:`PicturePen` in one of the modules, and list it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from shop.catalog.pictures.motifs import cookware, devices, food, kitchen, outdoors, play, rooms, wear
from shop.catalog.pictures.motifs.pen import PicturePen

Motif = Callable[[PicturePen], str]

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

_SHAPES: Mapping[str, tuple[Motif, ...]] = MappingProxyType(
    {
        "pan": (
            *(cookware.frying_pan, cookware.saucepan, cookware.casserole, cookware.wok, cookware.griddle),
            *(cookware.stockpot, cookware.roasting_tin),
        )
    }
)
"""Motifs whose things have different outlines: the name in the product's slug decides."""


def motif_for(name: str, slug: str) -> Motif:
    """Return the function that draws a product of a motif: a wok among the pans, if the slug says so.

    Args:
        name: of the motif, listed in :data:`MOTIFS`.
        slug: of the product.
    """
    words = f"-{slug}-"
    named = (drawn for drawn in _SHAPES.get(name, ()) if f"-{drawn.__name__.replace('_', '-')}-" in words)
    return next(named, MOTIFS[name])
