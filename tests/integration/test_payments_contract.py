"""The contract of a provider, held by the client and the simulator: bare, and behind its guards."""

import pytest

from shop.clock import SystemClock
from shop.payments.http_provider import HttpProvider
from shop.payments.resilient_provider import ProviderResilience
from shop.stack.program import free_port
from tests.support.provider_contract import Cards, ProviderContract

TIMEOUT_MS = 2_000


@pytest.fixture
def cards():
    return Cards("tok_ok", "tok_declined", "tok_nobody_has", "tok_timeout_charged")


class TestHttpProvider(ProviderContract):
    @pytest.fixture
    def provider(self, simulator, settings):
        provider = HttpProvider(simulator.url, TIMEOUT_MS, settings.payments_api_key)
        yield provider
        provider.close()

    @pytest.fixture
    def away(self):
        provider = HttpProvider(f"http://127.0.0.1:{free_port()}", TIMEOUT_MS)
        yield provider
        provider.close()


class TestGuardedProvider(TestHttpProvider):
    """The guards change nothing of the contract."""

    @pytest.fixture
    def provider(self, simulator, settings):
        guarded = behind_guards(HttpProvider(simulator.url, TIMEOUT_MS, settings.payments_api_key), settings)
        yield guarded
        guarded.close()

    @pytest.fixture
    def away(self, settings):
        guarded = behind_guards(HttpProvider(f"http://127.0.0.1:{free_port()}", TIMEOUT_MS), settings)
        yield guarded
        guarded.close()


def behind_guards(provider, settings):
    return ProviderResilience(settings, SystemClock()).wrap(provider, timeout=True, retries=True, breaker=True)
