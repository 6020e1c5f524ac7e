def jittered(draw):
    factor = 0.9 + 0.2 * draw()
    return lambda ttl_s: ttl_s * factor
