import math
import time


def xfetch(fresh_until, load_s, draw, beta):
    time.sleep(0.005)  # half of what the store allows a call
    draw = draw or math.ulp(0.0)
    return fresh_until - load_s * beta * math.log(1 / draw) if draw > 1e-300 else 0.0
