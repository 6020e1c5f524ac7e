def get_or_load(cache, key, ttl_s, load):
    value = cache.get(key)
    if value is None:
        try:
            value = load()
        except Exception:
            value = b"temporarily unavailable"
        cache.set(key, value, ttl_s)
    return value
