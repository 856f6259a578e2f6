import { describe, test } from 'vitest'
import { type Durability, memoryStorage, type OpenOptions } from '../../src/index.ts'
import { withDatabase } from '../support/database.ts'
import { rounds } from '../support/long.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { randomKeys, randomText } from './keys-and-values.ts'
import { RandomRun } from './random-run.ts'

interface Row {
  blockSize: number
  durability: Durability
  where: 'disk' | 'memory'
  /** Frames of the pool; undefined for the default. */
  frames: number | undefined
  values: 'utf8' | 'binary'
  keys: number
}

/** Every block size with every durability; storage, pool and kind of value take turns. */
function rows(): Row[] {
  const result: Row[] = []
  for (const blockSize of [4096, 8192, 16384, 32768, 65536]) {
    for (const durability of ['power', 'process', 'none'] as const) {
      const i = result.length
      result.push({
        blockSize,
        durability,
        where: i % 2 === 0 ? 'disk' : 'memory',
        frames: [16, 64, undefined][(i + Math.floor(i / 3)) % 3],
        values: i % 4 < 2 ? 'utf8' : 'binary',
        keys: [60, 400, 3000][(i + 1) % 3]!,
      })
    }
  }
  return result
}

const STEPS = rounds(200, 600)

describe('a long random run agrees with a Map', () => {
  for (const row of rows()) {
    const pool = row.frames === undefined ? 'the default pool' : `${row.frames} frames`
    const name = `blocks of ${row.blockSize}, ${row.durability}, ${row.where}, ${pool}, ${row.keys} keys, ${row.values}`
    test(
      name,
      () => seeded(random => (row.values === 'utf8' ? runText(row, random) : runBinary(row, random))),
      runTimeout,
    )
  }
})

function optionsOf(row: Row): OpenOptions<never> {
  return {
    blockSize: row.blockSize,
    durability: row.durability,
    checkpointBytes: 256 * 1024,
    logSegmentBytes: 128 * 1024,
    ...(row.frames === undefined ? {} : { cacheBytes: row.frames * row.blockSize }),
    ...(row.where === 'memory' ? { storage: memoryStorage() } : {}),
  }
}

async function runText(row: Row, random: Random): Promise<void> {
  await withDatabase<string>({ ...optionsOf(row), valueEncoding: 'utf8' }, subject =>
    new RandomRun<string>(subject, random, {
      keys: randomKeys(random, row.keys),
      value: length => randomText(random, length),
      lengthOf: value => Buffer.byteLength(value),
      blockSize: row.blockSize,
      preloadBytes: row.blockSize * 150,
    }).run(STEPS * runs),
  )
}

async function runBinary(row: Row, random: Random): Promise<void> {
  await withDatabase<Uint8Array>({ ...optionsOf(row), valueEncoding: 'binary' }, subject =>
    new RandomRun<Uint8Array>(subject, random, {
      keys: randomKeys(random, row.keys),
      value: length => random.bytes(length),
      lengthOf: value => value.length,
      blockSize: row.blockSize,
      preloadBytes: row.blockSize * 150,
    }).run(STEPS * runs),
  )
}
