import pytest
from flask import Flask, flash, get_flashed_messages, session

from shop.web.session_cookie import SessionCookies


@pytest.fixture
def client():
    """A browser of a small application with the store's session."""
    app = Flask(__name__)
    app.secret_key = "a key for tests only"
    app.config.update(NOTES_COOKIE_NAME="notes", SESSION_REFRESH_EACH_REQUEST=False)
    app.session_interface = SessionCookies()
    app.add_url_rule("/cart/<name>", "cart", lambda name: session.update(cart=name) or "")
    app.add_url_rule("/tell/<text>", "tell", lambda text: flash(text) or "")
    app.add_url_rule("/told", "told", lambda: ",".join(get_flashed_messages()))
    app.add_url_rule("/who", "who", lambda: session.get("cart", "nobody"))
    app.add_url_rule("/leave", "leave", lambda: session.clear() or "")
    return app.test_client()


def written(answer):
    return [header.partition("=")[0] for header in answer.headers.getlist("Set-Cookie")]


def test_each_answer_writes_only_the_cookie_it_is_about(client):
    assert written(client.get("/cart/hers")) == ["session"]
    assert written(client.get("/tell/thanks")) == ["notes"]
    assert written(client.get("/who")) == []
    assert written(client.get("/told")) == ["notes"]


def test_a_late_answer_that_tells_something_undoes_nothing(client):
    late = client.application.test_client()
    late.set_cookie("session", "")
    header = late.get("/tell/thanks").headers.getlist("Set-Cookie")
    client.get("/cart/hers")
    for one in header:
        name, _, value = one.partition(";")[0].partition("=")
        client.set_cookie(name, value)
    assert client.get("/who").text == "hers"
    assert client.get("/told").text == "thanks"


def test_a_message_is_shown_once(client):
    client.get("/tell/one")
    client.get("/tell/two")
    assert client.get("/told").text == "one,two"
    assert client.get("/told").text == ""


def test_clearing_the_session_clears_both(client):
    client.get("/cart/hers")
    client.get("/tell/thanks")
    assert written(client.get("/leave")) == ["session", "notes"]
    assert (client.get_cookie("session"), client.get_cookie("notes")) == (None, None)


def test_value_of_one_cookie_is_invalid_in_the_other(client):
    client.get("/tell/thanks")
    client.set_cookie("session", client.get_cookie("notes").value)
    client.delete_cookie("notes")
    assert client.get("/told").text == ""


def test_message_in_an_older_single_cookie_is_shown_once(client):
    older = {"cart": "hers", "_flashes": [["message", "thanks"]]}
    interface = client.application.session_interface
    client.set_cookie("session", interface.get_signing_serializer(client.application).dumps(older))
    assert client.get("/told").text == "thanks"
    assert client.get("/told").text == ""
    assert client.get("/who").text == "hers"
