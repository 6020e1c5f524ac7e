"""Drivers: each puts the store under load in its own way and takes its own measures; ``load`` is the default."""

from collections.abc import Mapping
from types import MappingProxyType

from shop.lab.drivers.avalanche import AvalancheDriver
from shop.lab.drivers.bystanders import BystanderDriver
from shop.lab.drivers.checkouts import CheckoutDriver
from shop.lab.drivers.driver_context import ArmDriver
from shop.lab.drivers.flash_sale import FlashSale
from shop.lab.drivers.greedy import GreedyDriver
from shop.lab.drivers.hot_set import HotSet
from shop.lab.drivers.lag import LagDriver
from shop.lab.drivers.load_only import LoadOnlyDriver
from shop.lab.drivers.loss import LossDriver
from shop.lab.drivers.metastable import MetastableDriver
from shop.lab.drivers.overload import OverloadDriver
from shop.lab.drivers.partial_write import PartialWrite
from shop.lab.drivers.poison import PoisonDriver
from shop.lab.drivers.retries import RetryDriver
from shop.lab.drivers.staleness import StalenessDriver
from shop.lab.drivers.stampede import StampedeDriver

LOAD_ONLY = "load"
DRIVERS: Mapping[str, ArmDriver] = MappingProxyType(
    {
        LOAD_ONLY: LoadOnlyDriver(),
        "stampede": StampedeDriver(),
        "staleness": StalenessDriver(),
        "avalanche": AvalancheDriver(),
        "loss": LossDriver(),
        "lag": LagDriver(),
        "retries": RetryDriver(),
        "partial-write": PartialWrite(),
        "hot-set": HotSet(),
        "checkouts": CheckoutDriver(),
        "bystanders": BystanderDriver(),
        "flash-sale": FlashSale(),
        "greedy": GreedyDriver(),
        "overload": OverloadDriver(),
        "poison": PoisonDriver(),
        "metastable": MetastableDriver(),
    }
)
