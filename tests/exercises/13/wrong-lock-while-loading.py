import threading
from collections import OrderedDict


class NegativeCache:
    def __init__(self, not_found, clock, ttl_s, limit):
        self.not_found, self.clock, self.ttl_s, self.limit = not_found, clock, ttl_s, limit
        self.lock = threading.Lock()
        self.absent = OrderedDict()

    def get(self, name, load):
        with self.lock:  # so no creation comes between the load and the entry
            until, text = self.absent.get(name, (0, ""))
            if self.clock() < until:
                raise self.not_found(text)
            try:
                return load()
            except self.not_found as error:
                self.absent[name] = self.clock() + self.ttl_s, str(error)
                while len(self.absent) > self.limit:
                    self.absent.popitem(last=False)
                raise

    def created(self, name):
        with self.lock:
            self.absent.pop(name, None)
