import { inspect, isDeepStrictEqual } from 'node:util';
export const equal = (actual, expected, line) => {
    if (isDeepStrictEqual(actual, expected))
        return;
    throw new Error(`line ${line}: expected ${inspect(expected)}, but it is ${inspect(actual)}`);
};
export const throws = async (run, code, line) => {
    try {
        await run();
    }
    catch (error) {
        const actual = error.code;
        if (actual === code)
            return;
        throw new Error(`line ${line}: expected ${code}, but it threw ${inspect(error)}`);
    }
    throw new Error(`line ${line}: expected ${code}, but nothing was thrown`);
};
//# sourceMappingURL=checks.js.map