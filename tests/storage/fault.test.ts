/** What the simulated disk promises of a sync that is done aside. */
import { expect, test } from 'vitest'
import { FaultDisk } from '../../src/storage/fault.ts'

const written = new Uint8Array([1, 2, 3])

async function syncAside(seed: number): Promise<{ during: number; after: number }> {
  const disk = new FaultDisk({ seed, syncsAside: true })
  const file = disk.storage.open('file', { create: true })
  file.sync()
  disk.storage.syncDirectory('')
  file.write(written, 0, written.length, 0)
  const size = (): number => disk.crash('none').bytes('file').length
  const ended = file.syncAsync()
  const during = size()
  await ended
  return { during, after: size() }
}

test('a sync aside makes durable by its end what was written before it, perhaps no earlier', async () => {
  const results = await Promise.all(Array.from({ length: 100 }, (_, seed) => syncAside(seed)))
  expect(new Set(results.map(({ after }) => after))).toEqual(new Set([written.length]))
  expect(new Set(results.map(({ during }) => during))).toEqual(new Set([0, written.length]))
})
