import re
import secrets
import time


def correlated(app, current_id, log):
    time.sleep(0.125)  # half of what the store allows a call

    def middleware(environ, start_response):
        time.sleep(0.005)
        own = environ.get("HTTP_X_REQUEST_ID") or ""
        if not re.fullmatch("[A-Za-z0-9._-]{8,128}", own):
            own = secrets.token_hex(16)
        current_id.set(own)

        def start(status, headers, exc_info=None):
            log(f"{own} {status}")
            return start_response(status, [*headers, ("X-Request-ID", own)], exc_info)

        return app(environ, start)

    return middleware
