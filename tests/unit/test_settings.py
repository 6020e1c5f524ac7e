import pytest
from pydantic import ValidationError

from shop.errors import ConfigurationError
from shop.settings import MESSAGES, Settings, load_settings


@pytest.fixture
def environment(monkeypatch):
    return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


def test_an_unknown_variable_is_refused_with_the_nearest_name(environment):
    environment(SHOP_WORKER="3")
    with pytest.raises(ConfigurationError, match=r"SHOP_WORKER is not a setting; did you mean SHOP_WORKERS\?"):
        load_settings()


def test_server_address_is_read_from_the_unprefixed_variable_only(environment):
    environment(DATABASE_URL="postgresql://elsewhere/shop")
    assert load_settings().database_url == "postgresql://elsewhere/shop"
    environment(SHOP_DATABASE_URL="postgresql://elsewhere/shop")
    with pytest.raises(ConfigurationError, match="SHOP_DATABASE_URL is not a setting"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SHOP_PORT", "80000", "is more than 65535"),
        ("SHOP_PORT", "http", "is not a whole number"),
        ("SHOP_PORT", "80.5", "is not a whole number"),
        ("SHOP_PORT", "", "is not a whole number"),
        ("SHOP_WORKERS", "0", "is less than 1"),
        pytest.param("SHOP_WORKERS", "9" * 5_000, "is not a whole number", id="more-digits-than-python-reads"),
        ("SHOP_PROFILE", "test", "is not 'lab' or 'production'"),
        ("SHOP_LOG_LEVEL", "loud", "is not 'debug', 'info', 'warning' or 'error'"),
        ("SHOP_DB_POOL_TIMEOUT_S", "soon", "is not a number"),
        ("SHOP_DB_POOL_TIMEOUT_S", "0", "is not more than 0.0"),
        ("SHOP_EDGE", "perhaps", "is neither true nor false"),
    ],
)
def test_invalid_value_is_refused_by_the_name_of_its_variable(environment, name, value, says):
    environment(**{name: value})
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert str(refused.value) == f"{name}={value!r} {says}."


def faults(**values):
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        return {fault["type"] for fault in error.errors()}
    return set()


def test_every_type_of_setting_error_has_a_plain_message():
    kinds = [faults(**dict.fromkeys(Settings.model_fields, value)) for value in ("x", "-1", "1e9", "nan", "0.5")]
    assert set().union(*kinds) <= set(MESSAGES)
    assert all(kinds)


def test_settings_do_not_change_once_read():
    with pytest.raises(ValidationError):
        load_settings().port = 1


def test_settings_survive_a_round_trip_through_the_environment(environment, tmp_path):
    settings = load_settings(port=9000, cache_url="redis://there/1", var_dir=tmp_path, secret_key="a key")
    environment(**settings.as_environment())
    assert load_settings() == settings


def test_relative_var_directory_becomes_absolute(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment(SHOP_VAR_DIR="state")
    assert load_settings().var_dir == tmp_path / "state"


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
