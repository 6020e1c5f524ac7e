import concurrent.futures

import httpx
import pytest

from tests.support.polling import until


def test_same_key_and_body_get_same_response_and_one_charge(simulator):
    first, second = simulator.charge("s-same"), simulator.charge("s-same")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(simulator.charges("s-same")) == 1


def test_the_same_key_with_another_body_is_refused(simulator):
    simulator.charge("s-other")
    assert simulator.charge("s-other", amount=1).status_code == 422


def test_a_key_at_work_answers_in_flight(simulator):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = [pool.submit(simulator.charge, "s-flight", "tok_slow") for _ in range(2)]
        assert sorted(answer.result().status_code for answer in both) == [201, 409]
    assert len(simulator.charges("s-flight")) == 1


def test_silent_charge_is_in_ledger_before_caller_gives_up(simulator):
    body = {"amount": 1, "currency": "EUR", "token": "tok_timeout_charged"}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        caller = pool.submit(simulator.post, "/charges", "s-silent", body, timeout_s=1.2)
        (charge,) = until(lambda: simulator.charges("s-silent"))
        assert not caller.done()
        assert isinstance(caller.exception(), httpx.ReadTimeout)
    assert charge["status"] == "succeeded"


@pytest.mark.parametrize(("token", "status", "charges"), [("tok_declined", 402, ["declined"]), ("tok_error", 500, [])])
def test_a_charge_that_failed_moves_no_money_and_fails_again(simulator, token, status, charges):
    answers = [simulator.charge(f"s-{token}", token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, status]
    assert [charge["status"] for charge in simulator.charges(f"s-{token}")] == charges


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": "12"}, {"currency": "USD"}, {"token": "x"}, {"more": 1}])
def test_nonsense_is_refused(simulator, wrong):
    assert simulator.charge("s-wrong", **wrong).status_code == 422


def test_a_charge_without_a_key_is_refused(simulator):
    assert simulator.charge("").status_code == 400


def test_the_books_survive_kill_9(simulator):
    charge = simulator.charge("s-killed").json()
    simulator.kill()
    simulator.start()
    assert simulator.charges("s-killed") == [charge]
    assert simulator.charge("s-killed").json() == charge


def test_repeated_call_charges_once_after_kill_half_way(simulator):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = [pool.submit(simulator.charge, "s-half", "tok_slow") for _ in range(2)]
        refused = next(concurrent.futures.as_completed(both)).result()
        assert refused.status_code == 409  # so the other one is at work now
        simulator.kill()
        assert [type(call.exception()) for call in both if call.exception()] != []
    simulator.start()
    assert simulator.charge("s-half", "tok_slow").status_code == 201
    assert len(simulator.charges("s-half")) == 1


def test_no_more_is_given_back_than_was_taken(simulator):
    charge = simulator.charge("s-refund", amount=100).json()["id"]
    first = simulator.refund("r-1", charge, 60)
    assert (first.status_code, simulator.refund("r-1", charge, 60).json()) == (201, first.json())
    assert simulator.refund("r-2", charge, 60).status_code == 422
    assert simulator.refund("r-3", charge, 40).status_code == 201
    assert simulator.refund("r-4", "ch_unknown", 1).status_code == 422


def test_it_answers_and_logs_under_the_callers_ids(simulator):
    trace = "00-11111111111111111111111111111111-2222222222222222-01"
    answer = httpx.get(f"{simulator.url}/livez", headers={"X-Request-ID": "told-by-the-test", "traceparent": trace})
    assert answer.headers["X-Request-ID"] == "told-by-the-test"
    assert answer.headers["traceparent"] == trace
    assert '"told-by-the-test"' in simulator.log()
