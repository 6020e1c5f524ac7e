// Adds the age of a cached answer to its max-age for browsers.
//
// A script adds half of a hit's cost, so it runs only for answers with a max-age above zero, and they are few.

function from_now(r) {
    const age = Number(r.variables.edge_age);
    return r.variables.edge_for_browsers.replace(/max-age=(\d+)/, (whole, seconds) => `max-age=${Number(seconds) + age}`);
}

export default { from_now };
