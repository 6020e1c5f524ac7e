// Checks whether an answer can be written to the store.
//
// nginx opens the file after it has sent the head of the answer. If that fails, because the disk is full or read-only, the
// answer ends without its body. So this script checks it first, for answers that would be cached; a hit costs nothing.

import crypto from 'crypto';
import fs from 'fs';

// In bytes. The text is made where it is written: code outside functions runs again in each request that runs any script.
// Many times the largest cached answer, so that several answers can be stored at the same moment.
const ROOM = 1024 * 1024;

// Relative to the working directory: access(2) ignores a capability that lets nginx enter closed folders above it.
const STORE = 'store';

function lacking(r) {
    const name = crypto.createHash('md5').update(r.variables.edge_key).digest('hex');
    return is_writable(`${STORE}/${name.slice(-2)}`) && has_room() ? '' : '1';
}

// nginx makes a directory of the store for its first answer.
function is_writable(directory) {
    try {
        fs.accessSync(directory, fs.constants.W_OK | fs.constants.X_OK);
        return true;
    } catch (error) {
        return directory !== STORE && error.code === 'ENOENT' && is_writable(STORE);
    }
}

// Only a write shows whether there is space. The result is valid for a moment in all nginx processes (the zone's timeout).
function has_room() {
    const known = ngx.shared.room.get('has');
    if (known !== undefined) {
        return known === 'yes';
    }
    const found = try_to_write(`${STORE}/room.${process.pid}`);
    ngx.shared.room.set('has', found ? 'yes' : 'no');
    return found;
}

function try_to_write(path) {
    let found = true;
    try {
        fs.writeFileSync(path, 'x'.repeat(ROOM));
    } catch (error) {
        found = false;
    }
    try {
        fs.unlinkSync(path);
    } catch (error) {
        found = false;
    }
    return found;
}

export default { lacking };
