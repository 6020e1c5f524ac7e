"""Simulated clients of the lab: each has an address of its own, where the system has more than one."""

import ipaddress

import pytest

from shop.errors import ConfigurationError
from shop.lab import source_addresses
from shop.lab.drivers.greedy import GreedyParams, LogInSample, compute_measures
from shop.lab.log_in_client import LogInAnswer

STORE = "http://127.0.0.1:8080"
SIGNED_IN, WRONG = LogInAnswer(200, 90, 119, 60), LogInAnswer(401, 90, 100, 60)
OVER, BUSY = LogInAnswer(429, 2, 0, 50), LogInAnswer(429, 2, 80, 50)


def switches(value):
    return lambda: {"overload.rate_limit": value}


@pytest.fixture
def one_address(monkeypatch):
    """A system that has 127.0.0.1 only."""
    monkeypatch.setattr(source_addresses, "can_simulate_clients", lambda: False)


@pytest.mark.skipif(not source_addresses.can_simulate_clients(), reason="only Linux has all of 127.0.0.0/8")
def test_each_client_has_a_loopback_address_of_its_own():
    addresses = [source_addresses.new_source_address(STORE) for _ in range(200)]
    assert len(set(addresses)) > 190
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)
    assert not any(address.startswith("127.0.") for address in addresses)


def test_a_store_in_ipv6_gets_the_usual_address():
    assert source_addresses.new_source_address("http://[::1]:8080") is None


def test_elsewhere_all_clients_have_the_usual_address(one_address):
    assert source_addresses.new_source_address(STORE) is None


def test_many_guests_of_one_address_are_refused_before_the_experiment(one_address):
    source_addresses.require_clients(source_addresses.GUESTS_OF_ONE_ADDRESS, switches("on"))
    source_addresses.require_clients(1_000, switches("off"))
    with pytest.raises(ConfigurationError, match=r"overload\.rate_limit off"):
        source_addresses.require_clients(1_000, switches("on"))


def test_an_obedient_client_spreads_what_is_left():
    assert LogInAnswer(200, 90, 30, 60).pause_s == 2.0
    assert OVER.pause_s == 50.0
    assert LogInAnswer(200, 90).pause_s is None


def test_a_busy_store_is_no_limit_of_the_client():
    assert OVER.is_over_limit
    assert not BUSY.is_over_limit
    assert not LogInAnswer(429, 2).is_over_limit


def test_measures_of_a_greedy_client_and_the_others():
    params = GreedyParams(seconds=2.0, within_ms=1_000)

    def samples(*answers):
        return [LogInSample(0.0, answer) for answer in answers]

    late = LogInAnswer(200, 1_500, 119, 60)
    measures = compute_measures(
        samples(SIGNED_IN, SIGNED_IN, late, BUSY), samples(WRONG, WRONG, OVER, BUSY), samples(SIGNED_IN), params
    )
    assert measures == {
        "innocent_served": 0.5,
        "innocent_p95_ms": 90,
        "guesses_compared_rps": 1.0,
        "greedy_over_limit": 0.25,
        "obedient_over_limit": 0.0,
    }
