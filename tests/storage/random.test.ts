/** Random bytes: from the system's device, and where that is not there. */
import { expect, test, vi } from 'vitest'
import { randomBytes } from '../../src/storage/random.ts'

test('as many bytes as are asked for, other ones each time', () => {
  for (const length of [0, 1, 12, 200_000]) expect(randomBytes(length)).toHaveLength(length)
  expect(randomBytes(16)).not.toEqual(randomBytes(16))
})

test('without a device that may be read they come from the runtime', () => {
  const openings = vi.spyOn(process, 'getBuiltinModule')
  const asked = vi.spyOn(globalThis.crypto, 'getRandomValues')
  try {
    expect(randomBytes(16)).toHaveLength(16)
    expect(asked).not.toHaveBeenCalled()
    openings.mockImplementation(() => {
      throw new Error('ERR_ACCESS_DENIED')
    })
    expect(randomBytes(16)).not.toEqual(randomBytes(16))
    // More than the runtime gives at a time.
    expect(new Set(randomBytes(200_000).subarray(-100)).size).toBeGreaterThan(10)
    expect(asked).toHaveBeenCalled()
  } finally {
    openings.mockRestore()
    asked.mockRestore()
  }
})
