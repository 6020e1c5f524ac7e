def jittered(draw):
    def lifetime(ttl_s):
        return ttl_s * (1 + 0.1 * draw())

    return lifetime
