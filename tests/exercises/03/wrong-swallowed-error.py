import logging


def get_or_load(cache, key, ttl_s, load):
    try:
        value = cache.get(key)
        if value is None:
            value = load()
            cache.set(key, value, ttl_s)
    except Exception:
        logging.getLogger("cache").debug("the cache failed", exc_info=True)
        value = b""
    return value
