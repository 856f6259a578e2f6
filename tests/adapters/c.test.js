import { expect, test } from 'vitest';
import { db_close, db_delete, db_get, db_next, db_open, db_put, db_read_current, db_reset, tx_commit, tx_delete, tx_get, tx_init, tx_put, tx_rollback, } from '../../src/adapters/c.js';
import { open } from '../../src/index.js';
import { withDirectory } from '../support/directory.js';
test('a program written for xenon_db.h ports line by line', () => withDirectory(directory => {
    let db = db_open(`${directory}/students`);
    db_put(db, 'ada', 'Ada Lovelace');
    db_put(db, 'alan', 'Alan Turing');
    expect(db_get(db, 'ada')).toBe('Ada Lovelace');
    expect(db_get(db, 'nobody')).toBeUndefined();
    expect(db_delete(db, 'alan')).toBe(true);
    expect(db_delete(db, 'alan')).toBe(false);
    const kept = tx_init(db);
    tx_put(kept, 'grace', 'Grace Hopper');
    tx_put(kept, 'edsger', 'Edsger Dijkstra');
    expect(tx_delete(kept, 'edsger')).toBe(true);
    expect(tx_get(kept, 'grace')).toBe('Grace Hopper');
    expect(tx_get(kept, 'edsger')).toBeUndefined();
    tx_commit(kept);
    const dropped = tx_init(db);
    tx_put(dropped, 'ada', 'overwritten');
    tx_delete(dropped, 'grace');
    tx_rollback(dropped);
    db_close(db);
    db = db_open(`${directory}/students`);
    const found = {};
    db_reset(db);
    while (db_next(db)) {
        const { key, value } = db_read_current(db);
        found[key] = value;
    }
    expect(found).toEqual({ ada: 'Ada Lovelace', grace: 'Grace Hopper' });
    db_close(db);
}));
test('db_open is open, and takes its options', () => withDirectory(directory => {
    expect(db_open).toBe(open);
    const db = db_open(`${directory}/json`, { valueEncoding: 'json' });
    db_put(db, 'ada', { name: 'Ada' });
    expect(db_get(db, 'ada')).toEqual({ name: 'Ada' });
    db_close(db);
    db_close(db);
    expect(() => db_get(db, 'ada')).toThrow(expect.objectContaining({ code: 'XENON_CLOSED' }));
}));
test('a transaction that has ended takes no more calls', () => withDirectory(directory => {
    const db = db_open(`${directory}/db`);
    const tx = tx_init(db);
    tx_put(tx, 'key', 'value');
    tx_commit(tx);
    const ended = expect.objectContaining({ code: 'XENON_TRANSACTION_ENDED' });
    expect(() => tx_put(tx, 'key', 'other')).toThrow(ended);
    expect(() => tx_commit(tx)).toThrow(ended);
    expect(db_get(db, 'key')).toBe('value');
    db_close(db);
}));
//# sourceMappingURL=c.test.js.map