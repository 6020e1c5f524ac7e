import re
import secrets


def well_formed(text):
    return re.fullmatch("[A-Za-z0-9._-]{8,128}", text)


def correlated(app, current_id, log):
    def middleware(environ, start_response):
        own = environ.get("HTTP_X_REQUEST_ID") or ""
        if not well_formed(own):
            own = secrets.token_hex(16)
        current_id.set(own)
        log(f"{environ['PATH_INFO']} {environ.get('HTTP_X_REQUEST_ID')} -> {own}")

        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Request-ID", own)], exc_info)

        return app(environ, start)

    return middleware
