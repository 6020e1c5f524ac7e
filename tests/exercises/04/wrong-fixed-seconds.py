def jittered(draw):
    def lifetime(ttl_s):
        return ttl_s + 60 * draw() - 30

    return lifetime
