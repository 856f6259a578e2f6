import { expect } from 'vitest'
import { XenonError, type XenonErrorCode } from '../../src/index.ts'

/** Runs `action`; returns what it threw, or undefined. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}

/** Runs `action`, which may throw or return a promise; returns what it failed with, or undefined. */
export async function failureOf(action: () => unknown): Promise<unknown> {
  try {
    await action()
  } catch (error) {
    return error
  }
  return undefined
}

/** `action` throws a XenonError with one of these codes. Returns the error. */
export function expectCode(action: () => unknown, ...codes: XenonErrorCode[]): XenonError {
  return checkCode(thrownBy(action), codes)
}

/** The same for an action that may throw at once or return a promise that rejects. */
export async function expectCodeAsync(action: () => unknown, ...codes: XenonErrorCode[]): Promise<XenonError> {
  return checkCode(await failureOf(action), codes)
}

/** Any XenonError. */
export function expectTyped(action: () => unknown): XenonError {
  return checkCode(thrownBy(action), [])
}

/** Passes a value of the wrong type where the compiler would refuse it. */
export function wrong(value: unknown): never {
  return value as never
}

function checkCode(error: unknown, codes: readonly XenonErrorCode[]): XenonError {
  if (!(error instanceof XenonError)) {
    expect.fail(`expected an error ${codes.join(' or ')}, got ${error instanceof Error ? error.stack : error}`)
  }
  if (codes.length > 0) expect(codes, error.message).toContain(error.code)
  expect(error.message).not.toBe('')
  return error
}
