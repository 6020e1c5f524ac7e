"""Writes the reference page of all experiments from their files, for ``bin/shop reference``."""

from collections.abc import Iterable

from shop.lab import drivers
from shop.lab.arms import ExperimentArm
from shop.lab.experiment import LabExperiment
from shop.lab.unprotected_store import UNPROTECTED

HEAD = """# Experiments

`bin/shop reference` writes this page from `loadtests/experiments/`; a test fails if the two differ.
How to run an experiment: [Run an experiment](../how-to/run-an-experiment.md). The method behind them:
[Measuring](../explanation/measuring.md).
"""
VALUES = " and ".join(f"`{name}={value}`" for name, value in UNPROTECTED.items())
UNNAMED = f"""An arm that does not name them has {VALUES}.
On a busy machine the store would otherwise refuse some of the load, and the arms would compare refusals.
"""


def experiments_page(experiments: Iterable[LabExperiment]) -> str:
    """Return the page, as Markdown."""
    return "\n".join([HEAD, UNNAMED, *(_section(experiment) for experiment in experiments)])


def _section(experiment: LabExperiment) -> str:
    rules = experiment.verdict
    arms = "\n".join(_arm_row(experiment, arm) for arm in experiment.arms)
    ratios = "\n".join(f"| `{name}` | `{expression}` |" for name, expression in experiment.ratios.items())
    claims = "\n\n".join(
        "\n".join([heading, "", *(f"- `{claim}`" for claim in claims)])
        for heading, claims in (
            ("**The problem shows if**, in every run,", rules.problem_when),
            ("**Correctness is confirmed if**, in every run and on any machine,", rules.correct_when),
            ("**The timing is confirmed if**, in every run,", rules.confirmed_when),
        )
        if claims
    )
    tolerated = ", ".join(f"`{name}`" for name in rules.tolerates)
    exception = f" other than {tolerated}" if tolerated else ""
    return f"""## {experiment.title}

`bin/shop lab run {experiment.name}`, about {experiment.expected_seconds():.0f} s; with `--quick`, about \
{experiment.in_quick_form().expected_seconds():.0f} s

**Hypothesis.** {experiment.hypothesis}

{experiment.teaches.strip()}

**Steady state.** {experiment.steady_state.says}

| arm | settings | a visit is |
|---|---|---|
{arms}

**Load.** {_load(experiment)}

| ratio | definition |
|---|---|
{ratios}

{claims}

**The result is invalid if** more than {rules.error_limit:.0%} of the visits of an arm fail, or if the store counts an
anomaly of its own{exception}.
"""


def _load(experiment: LabExperiment) -> str:
    workload, phases, calibrate = experiment.workload, experiment.phases, experiment.workload.calibrate
    runs = f"{phases.runs} runs" if phases.runs > 1 else "One run"
    workers = f" It starts web processes until there are {experiment.workers}, and ends them afterwards." * (
        experiment.workers > 1
    )
    values = ", ".join(f"`{name}={value:g}`" for name, value in experiment.parameters.items())
    parameters = f" Store parameters in every arm: {values}." if values else ""
    if experiment.driver != drivers.LOAD_ONLY:
        module = experiment.driver.replace("-", "_")
        params = ", ".join(f"`{name}={value}`" for name, value in experiment.driver_params.items())
        return (
            f"Driver: [{experiment.driver}](../../shop/lab/drivers/{module}.py)"
            f"{f', with {params}' if params else ''}. {runs}.{parameters}{workers}"
        )
    if calibrate is None:
        rate = f"{workload.rate:g} visits/s, {workload.arrivals} arrivals."
    else:
        rate = (
            f"A calibration measures the throughput of arm `{calibrate.arm}` just before; all arms are offered "
            f"{calibrate.share:.0%} of it, {workload.arrivals} arrivals."
        )
    return f"""{rate}
Products are chosen from the {workload.products:,} most popular by Zipf's law, exponent {workload.exponent:g}; at most
{workload.connections} connections. {runs}. In each run, every arm settles for {phases.settle_s:g} s and warms up for
at least {phases.warm_up_s:g} s, until its hit rate is stable. It is then measured for {phases.open_s:g} s at the
common rate and for {phases.closed_s:g} s at full speed.{parameters}{workers}"""


def _arm_row(experiment: LabExperiment, arm: ExperimentArm) -> str:
    settings = [f"{name}={value}" for name, value in arm.switches.items()]
    settings += [f"fault {name}={value}" for name, value in arm.faults.items()]
    settings += [f"fault {action.fault}={action.value} after {action.at_s:g} s" for action in arm.actions]
    settings += [f"{name}={value:g}" for name, value in arm.parameters.items()]
    settings += [f"{name}: {value}" for name, value in arm.driver_params.items()]
    settings += [] if arm.warm_up_s is None else [f"warm-up of {arm.warm_up_s:g} s"]
    settings += [] if arm.exponent is None else [f"exponent {arm.exponent:g}"]
    settings += [f"{arm.browsers} browsers with a cache"] if arm.browsers else []
    visits = ", ".join(
        " + ".join(f"`{path}`" for path in visit.paths) + "".join(f", then `{path}`" for path in visit.then)
        for visit in experiment.visits_of(arm)
    )
    return f"| `{arm.name}`: {arm.title} | {', '.join(f'`{setting}`' for setting in settings)} | {visits} |"
