"""The clients of every experiment stay below the default rate limits, except where the limit is what is measured."""

import pytest

from shop.lab.drivers.driver_context import PHASE_START_S
from shop.lab.experiment import load_experiments
from shop.lab.guest_client import RETRY_EVERY_S
from shop.settings import Settings

GUEST = 3
"""A guest fills a cart, checks out and cancels."""
ADMIN_OF_SALE = 2
"""The administrator sets the stock of each product before a sale, and restores it."""
CHECKED = "rate-limits"
WRITES = {
    "load": lambda p: 0,
    "stampede": lambda p: 1 + 60 / (p.after_s + PHASE_START_S),
    "staleness": lambda p: GUEST * 60 / p.edit_every_s,
    "avalanche": lambda p: 0,
    "loss": lambda p: 60 / p.seconds,
    "lag": lambda p: GUEST,
    "retries": lambda p: GUEST + 60 / (min(p.timeout_s, RETRY_EVERY_S) + RETRY_EVERY_S),
    "partial-write": lambda p: GUEST,
    "hot-set": lambda p: 0,
    "overload": lambda p: 0,
    "poison": lambda p: GUEST * p.requests,  # each arm has another poisonous client
    "metastable": lambda p: 0,
    "checkouts": lambda p: GUEST,
    "bystanders": lambda p: GUEST,
    "flash-sale": lambda p: ADMIN_OF_SALE * (1 + p.several) * 60 / ((p.one + p.many) / 12),
}
"""By driver: most writes of its busiest client in a minute, as its parameters tell."""
EXPERIMENTS = [one for one in load_experiments().values() if one.name != CHECKED]
FORMS = [form for one in EXPERIMENTS for form in (one, one.in_quick_form())]


@pytest.mark.parametrize("experiment", FORMS, ids=lambda one: f"{one.name}{'' if one.quick else '-quick'}")
def test_busiest_client_of_an_experiment_stays_below_the_limit(experiment):
    writes = [WRITES[experiment.driver](experiment.driver_params_for(arm)) for arm in experiment.arms]
    assert max(writes) <= 0.8 * Settings.model_fields["writes_per_minute"].default


@pytest.mark.parametrize("experiment", FORMS, ids=lambda one: f"{one.name}{'' if one.quick else '-quick'}")
def test_a_refused_request_makes_other_experiments_invalid(experiment):
    assert "requests_limited" not in experiment.verdict.tolerates


def test_greedy_client_is_above_its_limit_before_the_measurement():
    experiment = load_experiments()[CHECKED]
    for form in (experiment, experiment.in_quick_form()):
        params = form.driver_params_for(form.arms[0])
        assert params.guesses * params.lead_s > Settings.model_fields["logins_per_minute"].default
