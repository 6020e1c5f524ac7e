import random


def jittered(draw):
    return lambda ttl_s: ttl_s * random.uniform(0.9, 1.1)
