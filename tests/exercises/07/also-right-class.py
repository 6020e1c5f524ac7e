import uuid
from string import ascii_letters, digits

ALLOWED = set(ascii_letters + digits + "._-")


class RequestIds:
    def __init__(self, app, current_id, log):
        self.app, self.current_id, self.log = app, current_id, log

    def __call__(self, environ, start_response):
        own = environ.get("HTTP_X_REQUEST_ID", "")
        if not (8 <= len(own) <= 128 and ALLOWED.issuperset(own)):
            own = str(uuid.uuid4())
        self.current_id.set(own)
        self.log(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} id={own}")

        def start(status, headers, *exc_info):
            return start_response(status, [*headers, ("x-request-id", own)], *exc_info)

        body = self.app(environ, start)
        try:
            yield from body
        finally:
            if hasattr(body, "close"):
                body.close()
            self.current_id.set("")


def correlated(app, current_id, log):
    return RequestIds(app, current_id, log)
