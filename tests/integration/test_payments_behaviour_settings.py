"""The simulator's bad manners: each is set while it runs, and each is one a real provider has."""

import httpx
import pytest

from shop.payments.simulator.app import create_app


def statuses(simulator, name, count=1, **more):
    return [simulator.charge(f"m-{name}-{number}", **more).status_code for number in range(count)]


def test_it_believes_nobody_without_its_key(simulator):
    body = {"amount": 1, "currency": "EUR", "token": "tok_ok"}
    for headers in ({}, {"Authorization": "Bearer another"}):
        answer = httpx.post(f"{simulator.url}/charges", json=body, headers={"Idempotency-Key": "m-who", **headers})
        assert answer.status_code == 401
    assert httpx.get(f"{simulator.url}/charges").status_code == 401
    assert simulator.charges("m-who") == []


def test_in_an_outage_it_answers_503_and_does_nothing(simulator):
    simulator.behave(outage=True)
    assert statuses(simulator, "outage") == [503]
    assert simulator.get("/livez").status_code == 503
    simulator.behave(outage=False)
    assert simulator.charges("m-outage-0") == []


def test_liveness_needs_no_key_and_ignores_outage(simulator):
    simulator.behave(outage=True)
    assert httpx.get(f"{simulator.url}/readyz").status_code == 404  # it has none, and that is an answer


def test_provider_errors_charge_nothing_and_key_works_later(simulator):
    simulator.behave(error_rate=1)
    assert statuses(simulator, "error") == [503]
    simulator.behave(error_rate=0)
    assert statuses(simulator, "error") == [201]


def test_its_declines_stay_declined(simulator):
    simulator.behave(decline_rate=1)
    assert statuses(simulator, "decline") == [402]
    simulator.behave()
    assert statuses(simulator, "decline") == [402]


def test_silent_charge_is_made_and_replay_is_answered(simulator):
    simulator.behave(silent_rate=1)
    body = {"amount": 1, "currency": "EUR", "token": "tok_ok"}
    with pytest.raises(httpx.ReadTimeout):
        simulator.post("/charges", "m-silent", body, timeout_s=0.3)
    assert simulator.post("/charges", "m-silent", body, timeout_s=2).status_code == 201
    assert len(simulator.charges("m-silent")) == 1


def test_call_past_its_deadline_is_not_executed(simulator):
    simulator.behave(latency_ms=100)
    body = {"amount": 1, "currency": "EUR", "token": "tok_ok"}
    assert simulator.post("/charges", "m-late", body, X_Deadline_Ms="50").status_code == 504
    assert simulator.charges("m-late") == []
    assert simulator.post("/charges", "m-late", body, X_Deadline_Ms="5000").status_code == 201


def test_it_keeps_its_manners_over_kill_9(simulator):
    simulator.behave(decline_rate=1)
    simulator.kill()
    simulator.start()
    assert statuses(simulator, "kept") == [402]


@pytest.mark.parametrize("wrong", [{"error_rate": 2}, {"latency": 1}, {"outage": "perhaps"}])
def test_manners_it_does_not_know_are_refused(simulator, wrong):
    assert simulator.admin("PATCH", "settings", wrong).status_code == 422


def test_settings_need_local_client_and_key(settings, tmp_path):
    known = {"Authorization": f"Bearer {settings.payments_api_key}"}
    client = create_app(settings.model_copy(update={"var_dir": tmp_path})).test_client()
    for address, status in (("10.0.0.7", 404), ("127.0.0.1", 200), ("::1", 200)):
        answer = client.get("/admin/settings", environ_base={"REMOTE_ADDR": address}, headers=known)
        assert answer.status_code == status
    for path in ("/admin/settings", "/admin/messages"):
        assert [call(path).status_code for call in (client.get, client.delete)] == [401, 401]


def test_all_its_charges_can_be_read_page_by_page(simulator):
    keys = [f"m-page-{number}" for number in range(5)]
    for key in keys:
        simulator.charge(key)
    last, seen = "", []
    while page := simulator.get(after=last, limit=2).json()["items"]:
        seen += [charge["key"] for charge in page]
        last = page[-1]["id"]
    assert [key for key in seen if key in keys] == keys


@pytest.mark.parametrize("asked", [{"key": ""}, {"key": "x" * 256}, {"kee": "x"}, {"limit": 0}, {"limit": 1001}])
def test_a_look_up_it_does_not_understand_is_refused(simulator, asked):
    assert simulator.get(**asked).status_code == 422


def test_it_does_not_start_without_its_keys(settings, tmp_path):
    from shop.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="SHOP_PAYMENTS_API_KEY"):
        create_app(settings.model_copy(update={"var_dir": tmp_path, "payments_api_key": ""}))
