import threading

from shop.patterns.idempotency.replay_rules import StoredResponse

RESPONSES = {}
LOCK = threading.Lock()


class IdempotencyMiddleware:
    def before(self, session, request):
        with LOCK:
            fingerprint, response = RESPONSES.get((request.owner, request.route, request.key), (None, None))
        if response is not None and fingerprint != request.fingerprint:
            return StoredResponse(422, b"This key was used for another request.", "text/plain")
        return response

    def after(self, session, request, response):
        with LOCK:
            RESPONSES[request.owner, request.route, request.key] = request.fingerprint, response
