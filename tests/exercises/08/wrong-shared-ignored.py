class HealthProbes:
    def __init__(self, dependencies, clock):
        self.dependencies, self.clock = dependencies, clock
        self.states, self.checked_at, self.stopping = {}, None, False

    def is_live(self):
        return True

    def is_ready(self):
        states = self.report()
        own = [each.name for each in self.dependencies if not each.shared]
        return not self.stopping and all(states[name] == "ok" for name in own)

    def report(self):
        if self.checked_at is None or self.clock() - self.checked_at >= 1:
            self.checked_at = self.clock()
            self.states = {each.name: self.state(each) for each in self.dependencies if not each.shared}
        return self.states

    def state(self, dependency):
        try:
            dependency.check()
        except Exception as error:
            return str(error)
        return "ok"

    def begin_shutdown(self):
        self.stopping = True
