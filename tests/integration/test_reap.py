import json
from datetime import UTC, datetime

from click.testing import CliRunner
from sqlalchemy import text

from shop.cli.reap import reap


def test_the_command_reaps_and_says_what(settings, database, monkeypatch):
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO idempotency_keys (owner, route, key, fingerprint, claim, claimed_until, expires_at)"
                " VALUES ('user:1', 'POST /', 'old', 'f', gen_random_uuid(), :then, :then)"
            ),
            {"then": datetime(2020, 1, 1, tzinfo=UTC)},
        )
    told = CliRunner().invoke(reap, ["--json"])
    assert json.loads(told.output) == {"keys": 1, "sessions": 0, "reservations": {"released": 0, "paid": 0, "left": 0}}
    assert CliRunner().invoke(reap).output.startswith("0 keys forgotten, and 0 sessions and tokens.")
