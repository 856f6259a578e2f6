import { Random } from '../../src/testing/random.js';
export { Random };
export const runs = Math.max(1, Number(process.env.XENON_RUNS ?? 1));
export const runTimeout = 120_000 * runs;
export function firstSeed() {
    const given = process.env.XENON_SEED;
    return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}
export async function seeded(body, seed = firstSeed()) {
    try {
        await body(new Random(seed));
    }
    catch (error) {
        if (error instanceof Error)
            error.message = `[replay with XENON_SEED=${seed}] ${error.message}`;
        throw error;
    }
}
//# sourceMappingURL=random.js.map