/** What `serve` runs before its first clients are at work. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { warmUp } from '../../src/cli/warm-up.ts'

const sockets = (): number =>
  process.getActiveResourcesInfo().filter(name => name.startsWith('TCP') || name.startsWith('Pipe')).length

/** Looks whether there is something else to do, until it says so. */
const looksUntil = (most: number): { readonly count: number; isIdle(): boolean } => {
  const looks = {
    count: 0,
    isIdle: () => ++looks.count < most,
  }
  return looks
}

test.each([1, 2, 5])('it ends at look %d when that finds a client at work, and leaves nothing open', async most => {
  const before = sockets()
  const looks = looksUntil(most)
  await warmUp(looks.isIdle)
  expect(looks.count).toBe(most)
  await expect.poll(sockets, { timeout: 60_000 }).toBe(before)
})

test('it ends by itself', async () => {
  const looks = looksUntil(Number.POSITIVE_INFINITY)
  await warmUp(looks.isIdle)
  expect(looks.count).toBeGreaterThan(0)
  expect(looks.count).toBeLessThan(1000)
})

test('it ends when somebody has closed one of its connections between two requests', async () => {
  const clients: Socket[] = []
  const add = (message: unknown): void => {
    clients.push((message as { socket: Socket }).socket)
  }
  subscribe('net.client.socket', add)
  const looks = looksUntil(Number.POSITIVE_INFINITY)
  try {
    await warmUp(() => {
      // As if all had been heard of it.
      clients[0]!.removeAllListeners('close').destroy()
      return looks.isIdle()
    })
  } finally {
    unsubscribe('net.client.socket', add)
  }
  expect(looks.count).toBe(1)
})
