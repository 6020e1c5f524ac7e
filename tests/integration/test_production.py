"""A store in the production profile, from its first start to a log-in over TLS, and what it refuses of the lab."""

import http.client
import http.server
import json
import re
import secrets
import socket
import ssl
import subprocess
import threading
from contextlib import closing
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from shop.app import create_app
from shop.cli import main
from shop.stack import edge
from shop.wiring import build
from tests.support.accounts import CHEAP
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.stack_instance import StackInstance

PASSWORD = "a sentence nobody has leaked"
EMAIL = "owner@shop.example"
TLS_PAIR = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A certificate for this machine and its key, made now."""
    home = tmp_path_factory.mktemp("tls")
    cert, key = home / "cert.pem", home / "key.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    command = ["openssl", "req", *TLS_PAIR, "-keyout", key, "-out", cert, *names]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


class NoCharges(http.server.BaseHTTPRequestHandler):
    """A provider that was never asked to charge."""

    def do_GET(self):
        body = b'{"items": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def production(tmp_path_factory, pair):
    """A store in production, with an empty catalogue; a provider that knows no charge."""
    if edge.find_binary() is None:
        pytest.skip("TLS is nginx's, and there is none for this platform")
    instance = StackInstance(tmp_path_factory.mktemp("production"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoCharges) as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        instance.environment |= {
            "SHOP_PROFILE": "production",
            "SHOP_SECRET_KEY": secrets.token_urlsafe(48),
            "PAYMENTS_URL": f"http://127.0.0.1:{provider.server_port}",
            "SHOP_PAYMENTS_API_KEY": secrets.token_urlsafe(24),
            "SHOP_PAYMENTS_WEBHOOK_SECRET": secrets.token_urlsafe(24),
            "MAIL_URL": "smtp://127.0.0.1:9",
            "SHOP_MAIL_FROM": "orders@shop.example",
            "SHOP_PUBLIC_ADDRESS": f"https://localhost:{instance.port}",
            "SHOP_TLS_CERT": str(pair[0]),
            "SHOP_TLS_KEY": str(pair[1]),
        }
        instance.up()
        yield instance
        instance.shop("down")
        provider.shutdown()


def ask(production, pair, method, path, body=None, **headers):
    """Make one request over TLS, trusting that certificate alone."""
    context = ssl.create_default_context(cafile=pair[0])
    with closing(http.client.HTTPSConnection("localhost", production.port, context=context, timeout=20)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.body = answer.read().decode()
        return answer


@pytest.mark.slow
@pytest.mark.xdist_group("other-account")
class TestAStoreInProduction:
    def test_its_first_administrator_signs_in_over_tls(self, production, pair):
        made = subprocess.run(
            [*production.command, "admin", "create", EMAIL, "--json"],
            input=f"{PASSWORD}\n",
            env=production.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(made.stdout) == {"email": EMAIL, "role": "admin"}
        origin = f"https://localhost:{production.port}"
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        answer = ask(production, pair, "POST", "/login", urlencode({"email": EMAIL, "password": PASSWORD}), **form)
        assert answer.status == 303
        cookie = next(one for one in answer.headers.get_all("Set-Cookie") if one.startswith("__Host-account="))
        assert {"Secure", "HttpOnly", "Path=/"} <= {word.strip() for word in cookie.split(";")}
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        mine = ask(production, pair, "GET", "/admin/products", Cookie=cookie.partition(";")[0])
        assert mine.status == 200

    def test_plain_http_is_redirected_to_https(self, production):
        with closing(http.client.HTTPConnection("localhost", production.port, timeout=20)) as connection:
            connection.request("GET", "/c/home")
            answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, f"https://localhost:{production.port}/c/home")

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
    def test_old_tls_is_refused(self, production, pair):
        context = ssl.create_default_context(cafile=pair[0])
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with (
            socket.create_connection(("localhost", production.port), timeout=20) as plain,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(plain, server_hostname="localhost")

    def test_production_invents_no_secrets_and_hides_the_lab(self, production, pair):
        products = ask(production, pair, "GET", "/api/v1/products")
        assert json.loads(products.body)["items"] == []
        assert products.headers["Server-Timing"] is None
        assert ask(production, pair, "GET", "/lab").status == 404
        assert "payments" not in production.state().load().processes
        assert production.shop("seed", "--dataset", "demo").returncode == 2


@pytest.fixture
def shopper(settings, database):
    """A guest of a store in production, with something in the cart."""
    with database.transaction() as session:
        make_product(session, make_category(session), "mug")
    runtime = build(settings.model_copy(update={"profile": "production"}))
    client = create_app(runtime).test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    client.post("/api/v1/cart/items", json={"product": "mug"}, base_url="https://localhost")
    yield client
    runtime.close()


def test_the_simulator_s_cards_are_neither_offered_nor_taken(shopper):
    page = shopper.get("/checkout", base_url="https://localhost").text
    assert "tok_ok" not in page
    assert re.search(r'<input[^>]+name="token"', page)
    body = {**DETAILS, "payment": {"token": "tok_ok"}}
    answer = shopper.post(
        "/api/v1/checkout", json=body, headers={"Idempotency-Key": "one"}, base_url="https://localhost"
    )
    assert answer.status_code == 422
    assert "test card" in answer.json["errors"]["token"]
    form = {**DETAILS["address"], "email": DETAILS["email"], "token": "tok_ok", "key": "two"}
    answer = shopper.post("/checkout", data=form, base_url="https://localhost")
    assert answer.status_code == 422
    assert "test card" in answer.text


@pytest.fixture
def admin(settings, database, monkeypatch):
    """The command, on the database of these tests."""
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return lambda *words, typed="": CliRunner().invoke(main, ["admin", *words], input=typed)


def test_an_administrator_is_made_with_a_password_from_standard_input(admin, settings, database):
    done = admin("create", "Owner@Shop.example", typed=f"{PASSWORD}\n")
    assert (done.exit_code, done.output) == (0, "owner@shop.example may now sign in as an administrator.\n")
    runtime = build(settings)
    try:
        assert runtime.services().accounts.authenticate("owner@shop.example", PASSWORD).role == "admin"
    finally:
        runtime.close()
    again = admin("create", "owner@shop.example", typed=f"{PASSWORD}\n")
    assert again.exit_code == 1
    assert "bin/shop admin grant owner@shop.example" in again.output


@pytest.mark.parametrize(("email", "password", "says"), [("nobody", PASSWORD, "email address"), (EMAIL, "x", "10 to")])
def test_a_wrong_address_or_password_is_refused_in_one_line(admin, email, password, says):
    done = admin("create", email, typed=f"{password}\n")
    assert done.exit_code == 2
    assert says in done.output
    assert done.output.count("\n") == 1


def test_an_account_that_is_there_is_made_an_administrator(admin, runtime):
    with_account = runtime.services().accounts.register(EMAIL, PASSWORD, "Owner")
    assert with_account.role == "customer"
    assert admin("grant", EMAIL).exit_code == 0
    assert runtime.services().accounts.authenticate(EMAIL, PASSWORD).role == "admin"
    missing = admin("grant", "somebody@shop.example")
    assert missing.exit_code == 1
    assert "bin/shop admin create" in missing.output
    assert runtime.passwords is CHEAP
