// Limits the time for the whole body of a request.
//
// client_body_timeout limits only the pause between two pieces: one byte every few seconds would hold a connection for
// days. This script reads the body before the request continues. If the body is late, a subrequest with the status 408
// ends the connection: nginx ends a request if any part of it times out, even while it reads the body. r.return() would
// not end it.

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
