// Tells whether an answer can be put into the store.
//
// nginx opens the file when the head of the answer has been sent already. If that fails, for a disk that is full or may only
// be read, the answer ends there, without its body. So it is asked before, of answers that would be kept; a hit pays nothing.

import crypto from 'crypto';
import fs from 'fs';

// Bytes, made where they are written: what stands here runs anew in each request that runs any script.
// Many times the largest answer that is kept, so that those being stored at the same moment fit in too.
const ROOM = 1024 * 1024;

// Below the working directory: access(2) forgets the right to pass closed folders above, which nginx may have.
const STORE = 'store';

function lacking(r) {
    const name = crypto.createHash('md5').update(r.variables.edge_key).digest('hex');
    return is_writable(`${STORE}/${name.slice(-2)}`) && has_room() ? '' : '1';
}

// A level of the store is made with its first answer.
function is_writable(directory) {
    try {
        fs.accessSync(directory, fs.constants.W_OK | fs.constants.X_OK);
        return true;
    } catch (error) {
        return directory !== STORE && error.code === 'ENOENT' && is_writable(STORE);
    }
}

// Only writing tells. What was found holds for a moment, in all of nginx's processes: the zone forgets it (timeout).
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
