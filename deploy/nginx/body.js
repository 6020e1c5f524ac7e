// Bounds the time that the whole of a request's body may take.
//
// client_body_timeout bounds the pause between two pieces only: a byte every few seconds holds a connection for days.
// Here the body is read before the request goes on. If it is not there in time, a subrequest that ends in 408 ends the
// connection: nginx ends a whole request with any part of it that times out, also while its body is being read, and
// r.return() does not.

async function bounded(r) {
    const length = r.headersIn['Content-Length'];
    if (r.headersIn['Transfer-Encoding'] === undefined && (length === undefined || length === '0')) {
        return;
    }
    const timer = setTimeout(() => r.subrequest('/.edge/late'), Number(r.variables.edge_body_ms));
    await r.readRequestArrayBuffer();
    clearTimeout(timer);
}

export default { bounded };
