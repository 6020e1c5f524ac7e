class NegativeCache:
    def __init__(self, not_found, clock, ttl_s, limit):
        self.not_found, self.clock, self.ttl_s, self.limit = not_found, clock, ttl_s, limit
        self.absent = {}

    def get(self, name, load):
        seen_at, text = self.absent.pop(name, (None, ""))
        if seen_at is not None and self.clock() - seen_at < self.ttl_s:
            self.absent[name] = self.clock(), text  # the most recently used name comes last
            raise self.not_found(text)
        try:
            return load()
        except self.not_found as error:
            self.absent[name] = self.clock(), str(error)
            while len(self.absent) > self.limit:
                self.absent.pop(next(iter(self.absent)))
            raise

    def created(self, name):
        self.absent.pop(name, None)
