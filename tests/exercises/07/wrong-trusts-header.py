import secrets


def correlated(app, current_id, log):
    def middleware(environ, start_response):
        own = environ.get("HTTP_X_REQUEST_ID") or ""
        if not own:
            own = secrets.token_hex(16)
        current_id.set(own)
        log(f"{environ['PATH_INFO']} {own}")

        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Request-ID", own)], exc_info)

        return app(environ, start)

    return middleware
