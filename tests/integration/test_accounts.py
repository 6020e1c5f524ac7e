import pytest

from shop.accounts.password_policy import WELL_KNOWN
from tests.support.accounts import PASSWORD, sign_in


@pytest.fixture
def shopper(client):
    """An account, opened through the API; nobody is signed in."""
    answer = client.post("/api/v1/users", json={"email": "ann@shop.test", "password": PASSWORD, "name": "Ann Example"})
    assert answer.status_code == 201, answer.text
    return "ann@shop.test"


def test_a_registered_account_signs_in_and_is_known(client, shopper):
    answer = sign_in(client, shopper)
    assert answer.status_code == 200
    assert answer.json["user"] == {"name": "Ann Example", "email": shopper, "role": "customer"}
    assert client.get("/logout").status_code == 200


def test_signing_out_leaves_nothing_in_the_browser(client, shopper):
    sign_in(client, shopper)
    assert client.delete("/api/v1/session").status_code == 204
    assert client.get_cookie("session") is None
    assert client.get_cookie("account") is None


def test_an_email_registers_once_whatever_its_case(client, shopper):
    again = {"email": " ANN@Shop.Test", "password": PASSWORD, "name": "Second"}
    answer = client.post("/api/v1/users", json=again)
    assert answer.status_code == 409
    assert answer.json["errors"]["email"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("name", " \t "),
        ("name", "x" * 101),
        ("password", "short"),
        ("password", "x" * 129),
        ("password", "ann@shop.test"),
        ("password", "qwertyuiop123"),
    ],
)
def test_a_registration_names_the_field_that_is_wrong(client, field, value):
    given = {"email": "ann@shop.test", "password": PASSWORD, "name": "Ann", field: value}
    answer = client.post("/api/v1/users", json=given)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]


def test_registration_signs_in_and_redirects_to_next(client):
    given = {"email": "ann@shop.test", "password": PASSWORD, "name": "Ann", "next": "/orders"}
    answer = client.post("/register", data=given)
    assert (answer.status_code, answer.location) == (303, "/orders")
    assert "Ann" in client.get("/logout").text


def test_registration_form_keeps_input_and_shows_errors(client):
    answer = client.post("/register", data={"email": "nowhere", "password": PASSWORD, "name": "Ann"})
    assert answer.status_code == 422
    assert 'value="nowhere"' in answer.text
    assert 'id="error-email"' in answer.text
    assert PASSWORD not in answer.text


def test_registration_form_shows_well_known_password_at_field(client):
    answer = client.post("/register", data={"email": "ann@shop.test", "password": "iloveyou123", "name": "Ann"})
    assert answer.status_code == 422
    assert 'id="error-password"' in answer.text
    assert WELL_KNOWN in answer.text


def test_the_log_in_page_refuses_with_one_sentence(client, shopper):
    answer = client.post("/login", data={"email": shopper, "password": "not the password"})
    assert answer.status_code == 401
    assert "The email or the password is wrong." in answer.text
    assert f'value="{shopper}"' in answer.text


def test_the_log_in_page_sends_a_signed_in_browser_on(client, shopper):
    sign_in(client, shopper)
    answer = client.get("/login?next=/orders")
    assert (answer.status_code, answer.location) == (303, "/orders")


def test_signing_out_takes_a_press_of_a_button(client, shopper):
    sign_in(client, shopper)
    assert "<button" in client.get("/logout").text
    assert client.post("/logout").status_code == 303
    assert client.get("/logout").location == "/"


@pytest.mark.parametrize("path", ["/login", "/register", "/logout", "/api/v1/me"])
def test_private_responses_are_not_stored(client, path):
    assert client.get(path).headers["Cache-Control"] == "private, no-store"
