import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { FaultDisk, SimulatedCrash } from '../../src/testing/fault.js';
import { expectVerified } from '../support/database.js';
import { seeded } from '../support/random.js';
test('that a killed process had just made keeps what the next one commits to it, through a loss of power', () => seeded(async (random) => {
    const options = { logSegmentBytes: 131_072, checkpointBytes: 2 ** 24 };
    const first = new FaultDisk({ seed: random.below(1e9) });
    const killed = open('db', { ...options, storage: first.storage });
    first.inject({ effect: 'crash', kinds: ['syncDirectory'], path: /log$/, after: 0 });
    let committed = 0;
    expect(() => {
        for (let i = 0; i < 1000; i++) {
            killed.put(`key ${i}`, 'x'.repeat(2000));
            committed = i + 1;
        }
    }).toThrow(SimulatedCrash);
    const second = first.kill();
    const next = open('db', { ...options, storage: second.storage });
    next.put('acknowledged', 'by the next process');
    const third = second.crash('none');
    const last = open('db', { ...options, storage: third.storage });
    expect(last.get('acknowledged')).toBe('by the next process');
    await expectVerified(last);
    expect(last.count()).toBeGreaterThanOrEqual(committed + 1);
    last.close();
}));
//# sourceMappingURL=new-segment.test.js.map