import { Random } from '../../../src/testing/random.js';
import { Session } from './session.js';
import { keysOfRoots } from './workloads.js';
const VALUE = 'v'.repeat(600);
const steps = [
    (session, [a]) => session.put(a, `${session.state.size} small`),
    (session, keys) => session.put(keys[6], VALUE),
    (session, [a]) => session.delete(a),
    (session, keys) => session.put(keys[1], 'large'.repeat(3000)),
    (session, [a, b, c]) => session.transaction([[a, undefined], [b, VALUE], [c, 'c']]),
    (session, [a, b]) => session.rollback([[a, 'never'], [b, undefined]]),
    (session, keys) => session.batch(keys.slice(6, 12).map(key => [key, VALUE])),
    async (session, keys) => {
        session.async([[keys[2], 'in flight']]);
        session.async([[keys[3], undefined]]);
        await session.settle();
    },
    session => session.checkpoint(),
    session => {
        session.close();
        session.open();
    },
];
export const sequences = steps.flatMap((_, a) => [
    [a],
    ...steps.flatMap((__, b) => [[a, b], ...steps.map((___, c) => [a, b, c])]),
]);
export const recordSequence = async (sequence) => {
    const random = new Random(7);
    const session = new Session({ durability: 'power', cacheBytes: 16 * 4096, checkpointBytes: 65536, logSegmentBytes: 131072 }, random);
    const keys = keysOfRoots(session, [5], 12);
    session.batch(keys.slice(0, 6).map(key => [key, VALUE]));
    for (const [i, step] of sequence.entries()) {
        if (i === sequence.length - 1)
            session.begin();
        await steps[step](session, keys);
    }
    return session.recording;
};
//# sourceMappingURL=sequences.js.map