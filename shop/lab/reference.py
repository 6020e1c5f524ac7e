"""The reference page of all experiments, written from their files by ``shop reference``."""

from collections.abc import Iterable

from shop.lab import drivers
from shop.lab.arms import ExperimentArm
from shop.lab.experiment import LabExperiment

HEAD = """# Experiments

Written from `loadtests/experiments/` by `shop reference`; a test fails when the two differ.
How to run one: [Run an experiment](../how-to/run-an-experiment.md). Why they are built so:
[Measuring](../explanation/measuring.md).
"""


def experiments_page(experiments: Iterable[LabExperiment]) -> str:
    """Return the page, as Markdown."""
    return "\n".join([HEAD, *(_section(experiment) for experiment in experiments)])


def _section(experiment: LabExperiment) -> str:
    arms = "\n".join(_arm(experiment, arm) for arm in experiment.arms)
    ratios = "\n".join(f"| `{name}` | `{expression}` |" for name, expression in experiment.ratios.items())
    return f"""## {experiment.title}

`shop lab run {experiment.name}`, about {experiment.expected_seconds():.0f} s

**Hypothesis.** {experiment.hypothesis}

{experiment.teaches.strip()}

**Steady state.** {experiment.steady_state.says}

| arm | stands so | a visit is |
|---|---|---|
{arms}

**Load.** {_load(experiment)}

| ratio | is |
|---|---|
{ratios}

{_claims(experiment)}

**Worth nothing when** more than {experiment.verdict.error_limit:.0%} of the visits of an arm fail, or the store counts
trouble of its own{_tolerated(experiment)}.
"""


def _claims(experiment: LabExperiment) -> str:
    rules = experiment.verdict
    parts = (
        ("**The problem shows when**, in every run,", rules.problem_when),
        ("**It is right when**, in every run and however quick the machine is,", rules.correct_when),
        ("**It is worth what is claimed when**, in every run,", rules.confirmed_when),
    )
    return "\n\n".join(
        "\n".join([words, "", *(f"- `{claim}`" for claim in claims)]) for words, claims in parts if claims
    )


def _tolerated(experiment: LabExperiment) -> str:
    names = ", ".join(f"`{name}`" for name in experiment.verdict.tolerates)
    return f"; {names} {'belong' if len(experiment.verdict.tolerates) > 1 else 'belongs'} to it" if names else ""


def _load(experiment: LabExperiment) -> str:
    workload, phases = experiment.workload, experiment.phases
    runs = f"{phases.runs} runs" if phases.runs > 1 else "One run"
    needs = f" It needs {experiment.workers} web processes: `shop up --workers {experiment.workers}`." * (
        experiment.workers > 1
    )
    turned = ", ".join(f"`{name}={value:g}`" for name, value in experiment.parameters.items())
    knobs = f" Turned throughout: {turned}." if turned else ""
    if experiment.driver != drivers.LOAD_ONLY:
        module = experiment.driver.replace("-", "_")
        told = ", ".join(f"`{name}={value}`" for name, value in experiment.driver_params.items())
        return (
            f"Driven by [{experiment.driver}](../../shop/lab/drivers/{module}.py)"
            f"{f', told {told}' if told else ''}. {runs}.{knobs}{needs}"
        )
    return f"""{_rate(experiment)}
Products are chosen from the {workload.products:,} most popular by Zipf's law, exponent {workload.exponent:g}; at most
{workload.connections} connections. {runs}; in each, every arm settles for {phases.settle_s:g} s, warms up for
{phases.warm_up_s:g} s and on until its hit rate stands, is measured for {phases.open_s:g} s
at the common rate and driven for {phases.closed_s:g} s as fast as it goes.{knobs}{needs}"""


def _arm(experiment: LabExperiment, arm: ExperimentArm) -> str:
    flips = [f"{name}={value}" for name, value in arm.switches.items()]
    flips += [f"fault {name}={value}" for name, value in arm.faults.items()]
    flips += [f"fault {one.fault}={one.value} after {one.at_s:g} s" for one in arm.actions]
    flips += [f"{name}={value:g}" for name, value in arm.parameters.items()]
    flips += [f"{name}: {value}" for name, value in arm.driver_params.items()]
    if arm.warm_up_s is not None:
        flips.append(f"warms up for {arm.warm_up_s:g} s")
    flips += [] if arm.exponent is None else [f"exponent {arm.exponent:g}"]
    flips += [f"{arm.browsers} browsers that keep what they were sent"] if arm.browsers else []
    switches = ", ".join(f"`{flip}`" for flip in flips)
    visits = ", ".join(
        " + ".join(f"`{path}`" for path in visit.paths) + "".join(f", then `{path}`" for path in visit.then)
        for visit in experiment.visits_of(arm)
    )
    return f"| `{arm.name}`: {arm.title} | {switches} | {visits} |"


def _rate(experiment: LabExperiment) -> str:
    calibrate, workload = experiment.workload.calibrate, experiment.workload
    if calibrate is None:
        return f"{workload.rate:g} visits/s, {workload.arrivals} arrivals."
    return (
        f"All arms are offered {calibrate.share:.0%} of what arm `{calibrate.arm}` carried in a calibration just "
        f"before, {workload.arrivals} arrivals."
    )
