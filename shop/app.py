"""The web application: a factory that hangs every feature's routes on one Flask app."""

from flask_openapi3 import Info, OpenAPI

from shop.web import context, problems, rendering
from shop.wiring import Runtime


def create_app(runtime: Runtime) -> OpenAPI:
    """Build the store's web application.

    Args:
        runtime: what the process shares; the caller starts and closes it.
    """
    app = OpenAPI(
        __name__,
        info=Info(title="shop", version="1"),
        doc_prefix="/api",
        doc_url="/openapi.json",
        validation_error_callback=problems.from_validation,
        static_folder="web/static",
        template_folder="web/templates",
    )
    context.install(app, runtime.services, show_timings=runtime.settings.is_lab)
    problems.install(app)
    rendering.install(app)
    return app
