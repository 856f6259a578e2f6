import { expect } from 'vitest';
import { XenonError } from '../../src/index.js';
export function thrownBy(action) {
    try {
        action();
    }
    catch (error) {
        return error;
    }
    return undefined;
}
export async function failureOf(action) {
    try {
        await action();
    }
    catch (error) {
        return error;
    }
    return undefined;
}
export function expectCode(action, ...codes) {
    return checkCode(thrownBy(action), codes);
}
export async function expectCodeAsync(action, ...codes) {
    return checkCode(await failureOf(action), codes);
}
export function expectTyped(action) {
    return checkCode(thrownBy(action), []);
}
export function wrong(value) {
    return value;
}
function checkCode(error, codes) {
    if (!(error instanceof XenonError)) {
        expect.fail(`expected an error ${codes.join(' or ')}, got ${error instanceof Error ? error.stack : error}`);
    }
    if (codes.length > 0)
        expect(codes, error.message).toContain(error.code);
    expect(error.message).not.toBe('');
    return error;
}
//# sourceMappingURL=errors.js.map