# log.py
import uuid

from flask import g


def write(event: str, **fields: Any) -> None:
    current_app.config["LOG"].write(json.dumps({"event": event, "id": g.request_id, **fields}) + "\n")


def install(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        g.request_id = request.headers.get("X-Request-ID") or uuid.uuid4().hex
        write("request_begins", method=request.method, path=request.path)

    @app.after_request
    def end(response: Response) -> Response:
        write("request_ends", path=request.path, status=response.status_code)
        response.headers["X-Request-ID"] = g.request_id
        return response
