import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { withMemoryDatabase } from '../support/database.js';
import { Actor, Keys } from './actors.js';
import { anomalies } from './anomalies.js';
const levels = [
    'read-uncommitted',
    'read-committed',
    'repeatable-read',
    'snapshot',
    'serializable',
];
const ITEMS = ['G0', 'G1a', 'G1a, delete', 'G1b', 'G1c', 'OTV'];
const G1 = [...ITEMS, 'G1a, predicate', 'G1b, predicate'];
const prevented = {
    'read-uncommitted': ['G0'],
    'read-committed': G1,
    'repeatable-read': [...G1, 'P4', 'P4, write', 'G-single', 'G-single, predicate', 'G2-item'],
    snapshot: [...G1, 'PMP', 'PMP, write', 'P4', 'P4, write', 'G-single', 'G-single, predicate', 'G-single, write'],
    serializable: anomalies.map(anomaly => anomaly.name),
};
const results = new Map();
const cell = (name, level, same) => `${name}/${level}/${same}`;
async function play(anomaly, level, same) {
    let result = 'seen';
    await withMemoryDatabase({ durability: 'none', lockTimeout: 5000 }, async (subject) => {
        const { db } = subject;
        const keys = new Keys(subject);
        const roots = same ? [7, 7, 7, 7] : [7, 23, 42, 99];
        const [x, y, p, q] = ['a', 'b', 'p', 'p'].map((prefix, i) => keys.in(roots[i], prefix));
        db.batch([
            { type: 'put', key: x, value: '10' },
            { type: 'put', key: y, value: '20' },
        ]);
        const actors = [];
        const begin = () => {
            const actor = new Actor(db, { isolation: level });
            actors.push(actor);
            return actor;
        };
        const seen = await anomaly.play({ db, level, x, y, p, q, actors, begin });
        for (const actor of actors) {
            await actor.end();
            expect(actor.tx.ended, 'a schedule ends all its transactions').toBe(true);
        }
        const failures = actors.map(actor => actor.failure);
        for (const failure of failures)
            expect([undefined, 'XENON_DEADLOCK', 'XENON_WRITE_CONFLICT']).toContain(failure);
        if (seen)
            result = 'seen';
        else if (failures.includes('XENON_DEADLOCK'))
            result = 'deadlock';
        else if (failures.includes('XENON_WRITE_CONFLICT'))
            result = 'conflict';
        else if (actors.some(actor => actor.waits > 0))
            result = 'waits';
        else
            result = 'versions';
        expect(db.stats().transactions.open).toBe(0);
    });
    return result;
}
describe.each(levels)('%s', level => {
    test.each(anomalies)('$name', async (anomaly) => {
        for (const same of [true, false]) {
            const result = await play(anomaly, level, same);
            results.set(cell(anomaly.name, level, same), result);
            if (prevented[level].includes(anomaly.name))
                expect(result, `same block: ${same}`).not.toBe('seen');
        }
    });
});
const table = () => {
    const rows = anomalies.map(({ name }) => [
        name,
        ...levels.map(level => {
            const same = results.get(cell(name, level, true));
            const different = results.get(cell(name, level, false));
            expect(different, `${name} at ${level}: the blocks that keys lie in make no difference`).toBe(same);
            return show(same);
        }),
    ]);
    const lines = [['', ...levels], ...rows];
    const widths = lines[0].map((_, column) => Math.max(...lines.map(line => line[column].length)));
    const render = (line) => `| ${line.map((text, column) => text.padEnd(widths[column])).join(' | ')} |`;
    return [render(lines[0]), `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...rows.map(render)].join('\n');
};
const show = (result) => (result === 'seen' ? '**seen**' : result);
test('the table in docs/isolation.md is this one', () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/isolation.md', import.meta.url)), 'utf8');
    const printed = table();
    console.log(printed);
    expect(page).toContain(printed);
});
//# sourceMappingURL=hermitage.test.js.map