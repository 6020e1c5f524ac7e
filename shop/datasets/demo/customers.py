"""The customers of the demo store. They have invented nicknames and addresses."""

from dataclasses import dataclass
from datetime import timedelta

from shop.datasets.demo.seeded_random import SeededShuffle, generator, zipf
from shop.datasets.demo.sizes import DemoSize
from shop.demo_accounts import SHOPPER

MOODS = (
    "Patient", "Early", "Quiet", "Curious", "Merry", "Sunny", "Windy", "Gentle", "Rainy", "Humble", "Brisk", "Candid",
    "Sleepy", "Nimble", "Frugal", "Loyal", "Lucky", "Modest", "Breezy", "Steady", "Tidy", "Witty", "Warm", "Late",
)  # fmt: skip
PURSUITS = (
    "Baker", "Reader", "Walker", "Gardener", "Cyclist", "Sailor", "Painter", "Potter", "Camper", "Knitter", "Cook",
    "Rower", "Climber", "Angler", "Birder", "Tinkerer", "Dreamer", "Drummer", "Collector", "Teacher", "Swimmer",
)  # fmt: skip
STREETS = (
    "Harbour",
    "Mill",
    "Station",
    "Orchard",
    "Church",
    "Meadow",
    "Castle",
    "Bridge",
    "Garden",
    "Market",
    "Linden",
)
WAYS = ("Street", "Road", "Lane", "Row", "Square")
PLACES = (
    ("Lisbon", "PT", "1100-"), ("Dublin", "IE", "D0"), ("Vienna", "AT", "10"), ("Ghent", "BE", "90"),
    ("Utrecht", "NL", "35"), ("Lyon", "FR", "690"), ("Bremen", "DE", "281"), ("Turku", "FI", "201"),
    ("Tallinn", "EE", "101"), ("Bilbao", "ES", "480"), ("Bologna", "IT", "401"), ("Ljubljana", "SI", "10"),
)  # fmt: skip
LOYALTY = 0.45
"""Share of purchases by regular customers, by Zipf's law; the customers of the rest are drawn uniformly."""
MEMBERSHIP_DAYS = 2 * 365


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """One customer."""

    id: int
    email: str
    name: str


class DemoCustomers:
    """All customers of one size, numbered from 1.

    Args:
        size: the number of customers.
        demo_shopper: whether the first customer is the demo account, so that the account has orders.
    """

    def __init__(self, size: DemoSize, *, demo_shopper: bool) -> None:
        self.count = size.customers
        self._demo_shopper = demo_shopper
        self._regulars = SeededShuffle(self.count, salt=5)

    def __getitem__(self, customer_id: int) -> DemoCustomer:
        """Return a customer."""
        if self._demo_shopper and customer_id == 1:
            return DemoCustomer(1, SHOPPER.email, SHOPPER.name)
        mood = MOODS[customer_id % len(MOODS)]
        pursuit = PURSUITS[customer_id // len(MOODS) % len(PURSUITS)]
        email = f"{mood}.{pursuit}.{customer_id}@customers.shop.test".lower()
        return DemoCustomer(customer_id, email, f"{mood} {pursuit}")

    def address(self, customer_id: int) -> dict[str, str]:
        """Return the delivery address of a customer."""
        random = generator("address", customer_id)
        city, country, prefix = random.choice(PLACES)
        return {
            "name": self[customer_id].name,
            "line1": f"{random.randrange(1, 140)} {random.choice(STREETS)} {random.choice(WAYS)}",
            "city": city,
            "postcode": f"{prefix}{random.randrange(10, 100)}",
            "country": country,
        }

    def membership(self, customer_id: int) -> timedelta:
        """Return for how long the account has existed, always longer than the generated year."""
        days = generator("joined", customer_id).random() * MEMBERSHIP_DAYS
        return timedelta(days=365 + days)

    def buyer(self, draw: float) -> int:
        """Map a uniform draw from [0, 1) to the id of a customer who places an order."""
        if draw < LOYALTY:
            return self._regulars(zipf(draw / LOYALTY, self.count)) + 1
        return int((draw - LOYALTY) / (1 - LOYALTY) * self.count) + 1
