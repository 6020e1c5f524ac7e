import pytest
from pydantic import ValidationError

from shop.errors import ConfigurationError
from shop.settings import Settings, load_settings


@pytest.fixture
def environment(monkeypatch):
    return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


def test_an_unknown_variable_is_refused_with_the_nearest_name(environment):
    environment(SHOP_WORKER="3")
    with pytest.raises(ConfigurationError, match=r"SHOP_WORKER is not a setting; did you mean SHOP_WORKERS\?"):
        load_settings()


def test_an_address_is_read_from_the_name_every_platform_uses_and_from_no_other(environment):
    environment(DATABASE_URL="postgresql://elsewhere/shop")
    assert load_settings().database_url == "postgresql://elsewhere/shop"
    environment(SHOP_DATABASE_URL="postgresql://elsewhere/shop")
    with pytest.raises(ConfigurationError, match="SHOP_DATABASE_URL is not a setting"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"), [("SHOP_PORT", "80000"), ("SHOP_PORT", "http"), ("SHOP_WORKERS", "0"), ("SHOP_PROFILE", "test")]
)
def test_a_value_that_does_not_fit_is_refused_by_the_name_of_its_variable(environment, name, value):
    environment(**{name: value})
    with pytest.raises(ConfigurationError, match=f"^{name}='{value}'"):
        load_settings()


def test_settings_do_not_change_once_read():
    with pytest.raises(ValidationError):
        load_settings().port = 1


def test_a_process_given_the_environment_of_settings_reads_the_same_settings(environment, tmp_path):
    settings = load_settings(port=9000, cache_url="redis://there/1", var_dir=tmp_path, secret_key="a key")
    environment(**settings.as_environment())
    assert load_settings() == settings


def test_a_relative_var_directory_is_the_same_one_for_a_server_started_elsewhere(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment(SHOP_VAR_DIR="state")
    assert load_settings().var_dir == tmp_path / "state"


def test_the_production_profile_demands_a_key(environment):
    environment(SHOP_PROFILE="production")
    with pytest.raises(ConfigurationError, match="SHOP_SECRET_KEY is not set"):
        load_settings()


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
