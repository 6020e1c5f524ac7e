class HealthProbes:
    def __init__(self, dependencies, clock):
        self.dependencies, self.clock = dependencies, clock
        self.states, self.stopping = {}, False

    def is_live(self):
        return True

    def is_ready(self):
        states = self.report()
        own = [each.name for each in self.dependencies if not each.shared]
        return not self.stopping and all(states[name] == "ok" for name in own)

    def report(self):
        self.states = {each.name: self.state(each) for each in self.dependencies}
        return self.states

    def state(self, dependency):
        try:
            dependency.check()
        except Exception as error:
            return str(error)
        return "ok"

    def begin_shutdown(self):
        self.stopping = True
