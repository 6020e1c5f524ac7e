FIVE_MINUTES = 300


def get_or_load(cache, key, ttl_s, load):
    value = cache.get(key)
    if value is None:
        value = load()
        cache.set(key, value, FIVE_MINUTES)
    return value
