from dataclasses import dataclass
from typing import Callable


@dataclass
class SpreadLifetime:
    draw: Callable[[], float]
    share: float = 0.1

    def __call__(self, ttl_s):
        lowest, highest = ttl_s * (1 - self.share), ttl_s * (1 + self.share)
        return lowest + (highest - lowest) * self.draw()


def jittered(draw, share=0.1):
    return SpreadLifetime(draw, share)
