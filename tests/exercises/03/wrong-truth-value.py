def get_or_load(cache, key, ttl_s, load):
    try:
        value = cache.get(key)
    except ConnectionError:
        value = None
    if not value:
        value = load()
        try:
            cache.set(key, value, ttl_s)
        except ConnectionError:
            pass
    return value
