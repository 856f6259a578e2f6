import { open } from 'xenondb';
import { ask, chapter, say, step } from './lesson.js';
export function firstSteps(directory) {
    const db = putGetDelete(directory);
    commitAndRollback(db);
    walkTheCursor(db);
    reopen(db, directory);
}
function putGetDelete(directory) {
    chapter('Put, get, delete');
    say('A database is a directory. It is created when there is none.\n');
    let db;
    step("const db = open('students')", () => {
        db = open(directory);
    });
    step("db.put('ada', 'Ada Lovelace')", () => db.put('ada', 'Ada Lovelace'));
    step("db.put('alan', 'Alan Turing')", () => db.put('alan', 'Alan Turing'));
    step("db.put('grace', 'Grace Hopper')", () => db.put('grace', 'Grace Hopper'));
    ask("db.get('ada')", () => db.get('ada'), 'Ada Lovelace');
    ask("db.get('nobody')", () => db.get('nobody'), undefined);
    step("db.put('ada', 'Augusta Ada King')", () => db.put('ada', 'Augusta Ada King'));
    ask("db.get('ada')", () => db.get('ada'), 'Augusta Ada King');
    ask("db.delete('alan')", () => db.delete('alan'), true);
    ask("db.delete('alan')", () => db.delete('alan'), false);
    ask("db.has('alan')", () => db.has('alan'), false);
    return db;
}
function commitAndRollback(db) {
    chapter('Commit and rollback');
    say('What a transaction changes becomes visible and durable together, or not at all.\n');
    let tx = db.begin();
    step('const tx = db.begin()', () => { });
    step("tx.put('edsger', 'Edsger Dijkstra')", () => tx.put('edsger', 'Edsger Dijkstra'));
    ask("tx.delete('grace')", () => tx.delete('grace'), true);
    ask("tx.get('grace')", () => tx.get('grace'), undefined);
    step('tx.rollback()', () => tx.rollback());
    ask("db.get('grace')", () => db.get('grace'), 'Grace Hopper');
    ask("db.get('edsger')", () => db.get('edsger'), undefined);
    say('');
    tx = db.begin();
    step('const tx = db.begin()', () => { });
    step("tx.put('edsger', 'Edsger Dijkstra')", () => tx.put('edsger', 'Edsger Dijkstra'));
    step("tx.put('barbara', 'Barbara Liskov')", () => tx.put('barbara', 'Barbara Liskov'));
    step('tx.commit()', () => tx.commit());
    ask("db.get('barbara')", () => db.get('barbara'), 'Barbara Liskov');
    say('');
    say('The same in one call; an error inside rolls everything back:\n');
    ask("db.transaction(tx => tx.delete('edsger'))", () => db.transaction(tx => tx.delete('edsger')), true);
}
const STUDENTS = ['ada: Augusta Ada King', 'barbara: Barbara Liskov', 'grace: Grace Hopper'];
function walkTheCursor(db) {
    chapter('The cursor');
    say('It visits every record once, in the order they lie in the blocks.\n');
    step('db.reset()', () => db.reset());
    const seen = [];
    for (const _ of STUDENTS) {
        ask('db.next()', () => db.next(), true);
        const { key, value } = db.readCurrent();
        ask('db.readCurrent()', () => db.readCurrent(), { key, value });
        seen.push(`${key}: ${value}`);
    }
    ask('db.next()', () => db.next(), false);
    ask('// all of them', () => seen.sort(), STUDENTS);
}
function reopen(db, directory) {
    chapter('Close and open again');
    step('db.close()', () => db.close());
    step("const again = open('students')", () => { });
    const again = open(directory);
    ask("again.get('ada')", () => again.get('ada'), 'Augusta Ada King');
    ask('again.stats().records', () => again.stats().records, STUDENTS.length);
    step('again.close()', () => again.close());
}
//# sourceMappingURL=first-steps.js.map