"""Logs: found by one id, and without secrets."""

import json
import logging
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from shop.accounts.secret_tokens import new_token
from shop.cli.logs import logs
from shop.clock import SystemClock
from shop.orders.links import OrderLinks
from shop.patterns.observability import correlation
from shop.patterns.observability.json_lines import JsonLinesFile, rotated_path
from shop.patterns.observability.logs import configure_logging
from shop.patterns.observability.recent_requests import last_requests
from shop.patterns.observability.redaction import REDACTED, redact, redact_text
from shop.patterns.observability.request_lines import find_request_lines
from tests.support.accounts import make_account

ID = "one-request-of-many"


@pytest.fixture
def logging_to(tmp_path, settings):
    """Logging as in a separate process, removed after the test."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    settings = settings.model_copy(update={"var_dir": tmp_path})
    configure_logging(settings, "testing")
    yield settings.log_dir / "testing.jsonl"
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_request_writes_one_line_with_its_cost(client, runtime):
    before = len(lines(runtime.access_lines.path)) if runtime.access_lines.path.exists() else 0
    client.get("/api/v1/switches?secret=hunter2", headers={"X-Request-ID": ID})
    (line,) = lines(runtime.access_lines.path)[before:]
    assert line["event"] == "request"
    assert line["request_id"] == ID
    assert (line["method"], line["route"], line["path"]) == ("GET", "/api/v1/switches", "/api/v1/switches")
    assert (line["status"], line["queries"], line["cache"]) == (200, 1, [])
    assert line["ts"].endswith("Z")
    assert len(line["trace_id"]) == 32
    assert line["duration_ms"] > 0


@pytest.mark.parametrize("character", ["\u0085", "\u2028", "\n", "ü"])
def test_a_path_with_line_ends_stays_on_one_line(tmp_path, character):
    file = JsonLinesFile(tmp_path / "lines.jsonl")
    file.write({"path": f"/p/{character}"})
    file.close()
    assert [line["path"] for line in lines(file.path)] == [f"/p/{character}"]


def test_log_in_and_checkout_log_no_secret(client, runtime):
    client.post("/api/v1/session", json={"email": "a@shop.test", "password": "hunter2-hunter2"})
    client.post("/login?next=/&password=hunter2-hunter2", data={"email": "a@shop.test", "password": "hunter2-hunter2"})
    client.get("/api/v1/orders", headers={"Authorization": "Bearer hunter2-hunter2", "Cookie": "session=hunter2"})
    client.post("/api/v1/checkout", json={"payment": {"token": "tok_hunter2"}}, headers={"Idempotency-Key": "hunter2"})
    assert "hunter2" not in runtime.access_lines.path.read_text()


def test_line_has_its_request_ids_and_extra_fields(logging_to):
    correlation.adopt(ID, None)
    logging.getLogger("shop.test").info("stock_low", extra={"slug": "blue-mug", "left": 2})
    (line,) = lines(logging_to)
    assert (line["event"], line["level"], line["logger"]) == ("stock_low", "info", "shop.test")
    assert (line["request_id"], line["slug"], line["left"]) == (ID, "blue-mug", 2)


def test_an_exception_is_one_line_without_secrets(logging_to, capsys):
    secret = "hunter2"  # a local variable shows in no traceback either
    try:
        raise ValueError(secret and "cannot reach postgresql://shop:hunter2@db/shop with tok_hunter2")
    except ValueError:
        logging.getLogger("shop.test").exception("it broke", extra={"password": "hunter2"})
    (line,) = lines(logging_to)
    assert "hunter2" not in json.dumps(line)
    assert "ValueError" in line["exception"]


def test_warnings_are_written_to_stderr_too(logging_to, settings, capsys):
    configure_logging(settings.model_copy(update={"var_dir": logging_to.parent.parent}), "testing")
    logging.getLogger("shop.test").warning("careful", extra={"slug": "blue-mug", "password": "hunter2"})
    logging.getLogger("shop.test").info("by the way")
    assert [line["event"] for line in lines(logging_to)] == ["careful", "by the way"]
    (shown,) = capsys.readouterr().err.splitlines()
    assert "warning" in shown
    assert "careful" in shown
    assert "slug='blue-mug'" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "name", ["password", "new_password", "Authorization", "session_cookie", "card_number", "api_key", "token", "cvc"]
)
def test_field_named_like_a_secret_is_redacted_at_every_depth(name):
    assert "hunter2" not in json.dumps(redact({"outer": {"list": [{name: "hunter2"}]}, name: "hunter2"}))


@pytest.mark.parametrize(
    "text",
    ["Bearer hunter2", "redis://:hunter2@cache:6379", "paid with tok_hunter2", "card 4242 4242 4242 4242 was"],
)
def test_a_secret_of_recognisable_form_is_redacted_in_any_text(text):
    cleaned = redact_text(text)
    assert "hunter2" not in cleaned
    assert "4242" not in cleaned


def test_the_stores_own_tokens_are_redacted_anywhere(database, runtime):
    with database.transaction() as session:
        ann = make_account(session, "ann@shop.test").id
    bearer = runtime.services().accounts.issue_token(ann).token
    link = OrderLinks(["a-key"], SystemClock(), "https://shop.test").guest_url("an-order")
    for token, secret in ((bearer, bearer), (new_token(), None), (link, link.rpartition(".")[2])):
        cleaned = redact_text(f"refused {token!r} of {token}, twice")
        assert (secret or token) not in cleaned
        assert cleaned.count(REDACTED) == 2


@pytest.mark.parametrize("letters", ["abcdefgh_-", "01234567_-", "ABCDEFGH_-", "Aa1"])
def test_the_signature_of_an_order_link_is_redacted(letters):
    signature = (letters * 43)[:43]
    cleaned = redact_text(f"GET /orders/open?token=ord_6T9Blk9bQ0sEfVQqh3QSdu.1795986435.{signature} was refused")
    assert cleaned.startswith("GET /orders/open?token=ord_6T9Blk9bQ0sEfVQqh3QSdu.1795986435")
    assert cleaned.endswith(f"{REDACTED} was refused")
    assert signature not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "order 20391 of €1,299.00 at 2026-11-23T03:11:23.123Z went to 10115 Berlin",
        f"/p/{'a-long-slug-2' * 3}-aaa of 43 characters",
        f"trace {'0123456789abcdef' * 2} and etag {'0123456789abcdef' * 4}",
    ],
)
def test_ordinary_text_is_unchanged(text):
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "part",
    [
        "://:",
        "://a",
        "://a:",
        "Bearer ",
        "bearer\t",
        "tok_",
        "shop_",
        "shop_-",
        "$argon2",
        "1",
        "1 ",
        "1-",
        "A1-",
        "a.",
        "A1",
        ".1795986435.",
    ],
)
def test_redaction_takes_linear_time(part):
    def seconds(size):
        text = part * (size // len(part)) + "!"
        began = time.process_time()
        redact_text(text)
        return time.process_time() - began

    assert seconds(100_000) < 1.0  # quadratic, the worst of these takes more than a minute


@pytest.mark.parametrize("text", ["://" + "a" * 100 + ":hunter2@host", "://:" + "hunter2" * 70 + "@host"])
def test_long_passwords_in_addresses_are_redacted(text):
    assert "hunter2" not in redact_text(text)


def test_lines_of_one_request_are_collected_in_time_order(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path))
    written = [("payments", 2, ID), ("web", 1, ID), ("web", 3, ID), ("web", 4, "another-request")]
    for process, second, request_id in written:
        file = JsonLinesFile(tmp_path / "log" / f"{process}.jsonl")
        file.write({"ts": f"2026-01-01T00:00:0{second}.000Z", "level": "info", "event": "x", "request_id": request_id})
        file.close()
    with (tmp_path / "log" / "web.jsonl").open("a") as web:
        web.write(f'{{"cut": "{ID}')  # a line that is just being written
    found = json.loads(CliRunner().invoke(logs, ["--request", ID, "--json"]).output)["lines"]
    assert [line["process"] for line in found] == ["web", "payments", "web"]
    shown = CliRunner().invoke(logs, ["--request", ID]).output.splitlines()
    assert len(shown) == 3
    nothing = CliRunner().invoke(logs, ["--request", "unheard-of"])
    assert nothing.exit_code == 1


@pytest.mark.parametrize("moved_before", [1, 2])
def test_a_request_is_found_during_a_log_rotation(tmp_path, monkeypatch, moved_before):
    """If the rotation comes while the logs are opened, each line is found once."""
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path))
    log = tmp_path / "log" / "web.jsonl"
    opened = type(log).open
    file = JsonLinesFile(log)
    file.write({"ts": "2026-01-01T00:00:00.000Z", "request_id": ID})
    file.close()
    opens = 0

    def open_and_move(path, *args, **options):
        nonlocal opens
        opens += 1
        if opens == moved_before:
            log.rename(rotated_path(log))
        return opened(path, *args, **options)

    monkeypatch.setattr(type(log), "open", open_and_move)
    assert len(find_request_lines(log.parent, ID)) == 1


def test_the_last_requests_include_the_rotated_file(tmp_path):
    log = tmp_path / "web.jsonl"
    for number, path in enumerate((rotated_path(log), log)):
        file = JsonLinesFile(path)
        file.write({"ts": f"2026-01-01T00:00:0{number}.000Z", "event": "request", "n": number})
        file.close()
    assert [line["n"] for line in last_requests(log, tmp_path / "edge.jsonl", 10)] == [1, 0]


def test_a_full_file_is_rotated_once(tmp_path):
    path = tmp_path / "web.jsonl"
    two = [JsonLinesFile(path, max_bytes=200, check_every=1) for _ in range(2)]
    for number in range(40):
        two[number % 2].write({"n": number, "text": "x" * 20})
    for one in two:
        one.close()
    kept = [line["n"] for name in ("web.1.jsonl", "web.jsonl") for line in lines(tmp_path / name)]
    assert kept == list(range(kept[0], 40))
    assert path.stat().st_size < 400


def test_concurrent_processes_rotate_a_full_file_once(tmp_path):
    path = tmp_path / "web.jsonl"
    files = [JsonLinesFile(path, max_bytes=2_000, check_every=1) for _ in range(4)]
    together = threading.Barrier(4)

    def write(number):
        together.wait()
        for turn in range(100):
            files[number].write({"n": number, "turn": turn, "text": "x" * 20})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    for one in files:
        one.close()
    assert rotated_path(path).stat().st_size >= 2_000


@contextmanager
def no_file_larger_than(size):
    """A full disk for this process: the kernel writes a part of a line, and refuses the next write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_lines_lost_on_a_full_disk_are_counted(tmp_path):
    file = JsonLinesFile(tmp_path / "web.jsonl")
    with no_file_larger_than(50):
        for number in range(4):
            file.write({"n": number, "text": "x" * 20})
    file.write({"n": 4})
    file.close()
    first, torn, *rest = file.path.read_text().splitlines()
    assert json.loads(first)["n"] == 0
    assert torn == '{"n": 1, '[: len(torn)]
    told, last = map(json.loads, rest)
    assert (told["event"], told["lines"], last) == ("log_lines_lost", 3, {"n": 4})


def test_a_request_is_answered_even_if_its_line_is_lost(client, runtime):
    client.get("/api/v1/switches")
    with no_file_larger_than(runtime.access_lines.path.stat().st_size):
        assert client.post("/api/v1/cart/items", json={"product": "nothing"}).status_code == 404
        assert client.get("/api/v1/switches").status_code == 200
    client.get("/api/v1/switches")
    assert [line["event"] for line in lines(runtime.access_lines.path)][-2:] == ["log_lines_lost", "request"]


def test_an_impossible_log_directory_costs_only_the_line(tmp_path):
    (tmp_path / "log").write_text("a file where the folder should be")
    file = JsonLinesFile(tmp_path / "log" / "web.jsonl")
    file.write({"n": 1})
    file.close()
