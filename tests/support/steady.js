import { vi } from 'vitest';
import { memoryStorage } from '../../src/index.js';
import * as timers from '../../src/runtime/timers.js';
export async function withSteadyTime(random, body) {
    const clock = new random.constructor(random.next());
    let now = 0;
    const spies = [
        vi.spyOn(timers.performance, 'now').mockImplementation(() => (now += clock.below(3))),
        ...[globalThis, timers.timers].flatMap(owner => [
            vi
                .spyOn(owner, 'setTimeout')
                .mockImplementation(((run) => setImmediate(run))),
            vi.spyOn(owner, 'clearTimeout').mockImplementation(timer => clearImmediate(timer)),
        ]),
    ];
    try {
        await body();
    }
    finally {
        for (const spy of spies)
            spy.mockRestore();
    }
}
export function steadyStorage(random) {
    const bytes = new random.constructor(random.next());
    return {
        ...memoryStorage(),
        randomBytes: length => Uint8Array.from({ length }, () => bytes.below(256)),
    };
}
//# sourceMappingURL=steady.js.map