import pytest

from shop.web.probe_worker import probe_path


@pytest.mark.parametrize(
    ("head", "path"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"/livez"),
        (b"HEAD /readyz HTTP/1.0\r\n\r\n", b"/readyz"),
        (b"GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n", b"/readyz"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", b"/livez"),
    ],
)
def test_complete_probe_requests_are_recognised(head, path):
    assert probe_path(head) == path


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /liv",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        b"GET /livez/more HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /p/livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\ntransfer-encoding : chunked\r\n\r\n",
        b"GET /livez HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\n\r\n",
    ],
)
def test_other_requests_go_to_the_request_threads(head):
    assert probe_path(head) is None
