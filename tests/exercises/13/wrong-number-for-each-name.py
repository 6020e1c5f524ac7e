from collections import Counter, OrderedDict
from threading import Lock


class NegativeCache:
    def __init__(self, not_found, clock, ttl_s, limit):
        self.not_found, self.clock, self.ttl_s, self.limit = not_found, clock, ttl_s, limit
        self.lock, self.absent, self.creations = Lock(), OrderedDict(), Counter()

    def get(self, name, load):
        with self.lock:
            until, text = self.absent.get(name, (0, ""))
            creations = self.creations[name]
        if self.clock() < until:
            raise self.not_found(text)
        try:
            return load()
        except self.not_found as error:
            with self.lock:
                if creations == self.creations[name]:
                    self.absent[name] = self.clock() + self.ttl_s, str(error)
                    while len(self.absent) > self.limit:
                        self.absent.popitem(last=False)
            raise

    def created(self, name):
        with self.lock:
            self.creations[name] += 1
            self.absent.pop(name, None)
