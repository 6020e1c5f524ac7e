"""The reference page of all experiments, written from their files by ``shop reference``."""

from collections.abc import Iterable

from shop.lab.experiment import Arm, Experiment

HEAD = """# Experiments

Written from `loadtests/experiments/` by `shop reference`; a test fails when the two differ.
How to run one: [Run an experiment](../how-to/run-an-experiment.md). Why they are built so:
[Measuring](../explanation/measuring.md).
"""


def page(experiments: Iterable[Experiment]) -> str:
    """Return the page, as Markdown."""
    return "\n".join([HEAD, *(_section(experiment) for experiment in experiments)])


def _section(experiment: Experiment) -> str:
    workload, phases = experiment.workload, experiment.phases
    arms = "\n".join(_arm(experiment, arm) for arm in experiment.arms)
    ratios = "\n".join(f"| `{name}` | `{expression}` |" for name, expression in experiment.ratios.items())
    claims = "\n".join(f"- `{claim}`" for claim in experiment.verdict.confirmed_when)
    return f"""## {experiment.title}

`shop lab run {experiment.name}`, about {experiment.seconds():.0f} s

**Hypothesis.** {experiment.hypothesis}

{experiment.teaches.strip()}

**Steady state.** {experiment.steady_state.says}

| arm | switches | a visit is |
|---|---|---|
{arms}

**Load.** {_rate(experiment)} Products are chosen from the {workload.products:,} most popular by Zipf's law, exponent
{workload.exponent:g}; at most {workload.connections} connections. {phases.runs} runs; in each, every arm settles for
{phases.settle_s:g} s, warms up for {phases.warm_up_s:g} s, is measured for {phases.open_s:g} s at the common rate and
driven for {phases.closed_s:g} s as fast as it goes.

| ratio | is |
|---|---|
{ratios}

**Confirmed when** all of these hold for the medians over the runs:

{claims}

**Worth nothing when** more than {experiment.verdict.error_limit:.0%} of the visits of an arm fail, the generator was
the bottleneck, or the steady state did not hold before and after.
"""


def _arm(experiment: Experiment, arm: Arm) -> str:
    switches = ", ".join(f"`{name}={value}`" for name, value in arm.switches.items())
    visits = ", ".join(
        " + ".join(f"`{path}`" for path in visit.paths) + "".join(f", then `{path}`" for path in visit.then)
        for visit in experiment.visits(arm)
    )
    return f"| `{arm.name}`: {arm.title} | {switches} | {visits} |"


def _rate(experiment: Experiment) -> str:
    calibrate, workload = experiment.workload.calibrate, experiment.workload
    if calibrate is None:
        return f"{workload.rate:g} visits/s, {workload.arrivals} arrivals."
    return (
        f"Both arms are offered {calibrate.share:.0%} of what arm `{calibrate.arm}` carried in a calibration just "
        f"before, {workload.arrivals} arrivals."
    )
