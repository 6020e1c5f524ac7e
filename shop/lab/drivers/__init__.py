"""Ways to put the store under load, each with what it looks at; ``load`` is the plain one, and the runner's own."""

from collections.abc import Mapping
from types import MappingProxyType

from shop.lab.drivers.avalanche import Avalanche
from shop.lab.drivers.bench import Driver
from shop.lab.drivers.bystanders import Bystanders
from shop.lab.drivers.checkouts import Checkouts
from shop.lab.drivers.flash_sale import FlashSale
from shop.lab.drivers.hot_set import HotSet
from shop.lab.drivers.lag import Lag
from shop.lab.drivers.loss import Loss
from shop.lab.drivers.partial_write import PartialWrite
from shop.lab.drivers.plain import Plain
from shop.lab.drivers.retries import Retries
from shop.lab.drivers.staleness import Staleness
from shop.lab.drivers.stampede import Stampede

LOAD = "load"
DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {
        LOAD: Plain(),
        "stampede": Stampede(),
        "staleness": Staleness(),
        "avalanche": Avalanche(),
        "loss": Loss(),
        "lag": Lag(),
        "retries": Retries(),
        "partial-write": PartialWrite(),
        "hot-set": HotSet(),
        "checkouts": Checkouts(),
        "bystanders": Bystanders(),
        "flash-sale": FlashSale(),
    }
)
