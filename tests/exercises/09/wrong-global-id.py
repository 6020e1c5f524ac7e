# log.py
_current = {"id": "-"}


def write(event: str, **fields: Any) -> None:
    current_app.config["LOG"].write(json.dumps({"event": event, "request_id": _current["id"], **fields}) + "\n")


def install(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        _current["id"] = request.headers.get("X-Request-ID", "-")  # the next request overwrites it
        write("request_begins", method=request.method, path=request.path)

    @app.after_request
    def end(response: Response) -> Response:
        write("request_ends", path=request.path, status=response.status_code)
        return response
