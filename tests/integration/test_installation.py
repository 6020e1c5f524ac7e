"""``make run`` checks its variables first, and installs from where pip is configured to install."""

import importlib.util
import os
import socket
import subprocess
import sys
import zipfile

import pytest

from shop.settings import PROJECT_ROOT

PIP_CONFIGURATION = """
:env:.find-links='/opt/wheels /opt/more'
:env:.no-index='1'
:env:.quiet='1'
global.cert='/etc/ssl/ours.crt'
global.extra-index-url='https://a.test/simple\\nhttps://b.test/simple'
global.index-url='https://user:secret@mirror.test/simple'
install.index-url='https://user:secret@other.test/simple'
install.trusted-host='mirror.test'
list.format='columns'
"""


@pytest.fixture(scope="module")
def install():
    spec = importlib.util.spec_from_file_location("install", PROJECT_ROOT / "deploy" / "install.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["install"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["install"]


def test_uv_installs_as_pip_is_configured(install):
    settings = install.read_settings(PIP_CONFIGURATION)
    options = install.translate(settings, {"flask"})
    assert options.unknown == []
    assert options.arguments == ["--system-certs", "--no-index"]
    assert options.environment == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://user:secret@other.test/simple",
        "UV_INDEX": "https://a.test/simple https://b.test/simple",
        "UV_FIND_LINKS": "/opt/wheels,/opt/more",
        "UV_INSECURE_HOST": "mirror.test",
        "SSL_CERT_FILE": "/etc/ssl/ours.crt",
    }


def test_settings_without_a_counterpart_leave_the_installation_to_pip(install, tmp_path):
    (tmp_path / "constraints.txt").write_text("# a cap\ntorch<=2.14\nFlask_Login==1\n")
    constraint = {"constraint": str(tmp_path / "constraints.txt")}
    assert install.translate({"no-binary": ":all:"}, {"flask"}).unknown == ["no-binary"]
    assert install.translate(constraint, {"flask"}).unknown == []
    assert install.translate(constraint, {"flask-login"}).unknown == ["constraint"]
    assert install.translate({"constraint": "missing.txt"}, {"flask"}).unknown == ["constraint"]


def test_uv_looks_for_packages_only_where_pip_does(install, monkeypatch):
    """A mirror in uv's own variables would be used beside pip's."""
    monkeypatch.setenv("UV_INDEX", "https://elsewhere.test")
    program = "import os; print(sorted(name for name in os.environ if name.startswith('UV_')))"
    assert install.run("step", [sys.executable, "-c", program], {"UV_FIND_LINKS": "x"}) == (True, "['UV_FIND_LINKS']")


def test_other_packages_than_the_locked_ones_are_refused(install, tmp_path, monkeypatch, capfd):
    """Neither uv nor, after it, pip installs a file with another hash."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel(tmp_path, "aname", "1.0")
    lock = tmp_path / "some.lock"
    lock.write_text(f"aname==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    options = install.translate(install.pip_settings(), {"aname"})
    words = ["install", "--require-hashes", "--requirement", str(lock), "--target", str(tmp_path / "there")]
    is_installed, said = install.run("uv", install.uv_command(options, *words), options.environment)
    assert (is_installed, "hash" in said.lower()) == (False, True), said
    assert install.install_packages(lock, None, "1 package") is False
    assert "HASHES" in capfd.readouterr().err


def wheel(folder, name, version):
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        info = f"{name}-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def make(*variables, **environment):
    command = ["make", "-C", PROJECT_ROOT, "--no-print-directory", "check-run", f"PYTHON={sys.executable}", *variables]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("SIZE=xl", "SIZE=xl is no size: use s (500 products), m (5,000) or l (1,000,000)."),
        ("WORKERS=none", "WORKERS=none is no whole number from 1 to 64."),
        ("PORT=80800", "PORT=80800 is no whole number from 1 to 65535."),
        ("PORT='; echo", "PORT='; echo is no whole number from 1 to 65535."),
    ],
)
def test_wrong_variable_of_make_is_refused_before_the_installation(variable, message):
    code, said = make(variable)
    assert (code, message in said) == (2, True), said


def test_taken_port_is_refused_before_the_first_installation(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, said = make(f"PORT={port}", SHOP_VAR_DIR=str(tmp_path))
    assert (code, f"Port {port} is in use" in said) == (2, True), said


def test_variables_of_the_environment_are_not_of_make_run(tmp_path):
    assert make(SIZE="huge", WORKERS="x", PORT="y", SHOP_PORT="1", SHOP_VAR_DIR=str(tmp_path)) == (0, "")
    command = ["make", "-C", PROJECT_ROOT, "-n", "--no-print-directory", "run", "SIZE=s", "PORT=8081"]
    printed = subprocess.run(command, env={**os.environ, "WORKERS": "3"}, capture_output=True, text=True).stdout
    assert printed.split("bin/shop up")[1].split() == ["--size", "'s'", "\\", "--port", "'8081'"]
