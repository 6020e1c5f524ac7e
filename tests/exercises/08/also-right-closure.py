from types import SimpleNamespace


def HealthProbes(dependencies, clock):
    expires_at = None
    states = {}
    stopping = []

    def renew():
        nonlocal expires_at
        if expires_at is not None and clock() < expires_at:
            return
        expires_at = clock() + 1
        for dependency in dependencies:
            states[dependency.name] = "ok"
            try:
                dependency.check()
            except Exception as error:
                states[dependency.name] = f"{type(error).__name__}: {error}"

    def is_ready():
        renew()
        return not stopping and not any(states[one.name] != "ok" for one in dependencies if not one.shared)

    def report():
        renew()
        return dict(states)

    return SimpleNamespace(
        is_live=lambda: True, is_ready=is_ready, report=report, begin_shutdown=lambda: stopping.append(True)
    )
