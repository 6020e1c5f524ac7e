class NegativeCache:
    def __init__(self, not_found, clock, ttl_s, limit):
        self.not_found, self.clock, self.ttl_s, self.limit = not_found, clock, ttl_s, limit
        self.absent = {}

    def get(self, name, load):
        until, text = self.absent.get(name, (0, ""))
        if self.clock() < until:
            raise self.not_found(text)
        try:
            return load()
        except self.not_found as error:
            if len(self.absent) >= self.limit:
                self.absent.clear()  # full: begin anew
            self.absent[name] = self.clock() + self.ttl_s, str(error)
            raise

    def created(self, name):
        self.absent.pop(name, None)
