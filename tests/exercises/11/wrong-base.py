import math


def xfetch(fresh_until, load_s, draw, beta):
    return fresh_until + load_s * beta * math.log2(max(draw, 1e-9))
