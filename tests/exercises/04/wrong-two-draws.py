def jittered(draw):
    return lambda ttl_s: ttl_s * (0.9 + 0.1 * draw() + 0.1 * draw())
