/** A recovery that cannot succeed is refused before it has written anything, whatever the size of the pool. */
import { describe, expect, test, vi } from 'vitest'
import { open } from '../../src/index.ts'
import { AT_KIND, AT_LSN, BlockKind } from '../../src/pager/layout.ts'
import { hashIn, keysOfRoot } from '../hash/keys.ts'
import { closeQuietly } from '../support/database.ts'
import { copyImage, differences, type Image, readImage } from '../support/image.ts'
import { type Random, runTimeout, seeded } from '../support/random.ts'
import { expectReported } from './damage.ts'
import { BLOCK, fastStorage, scanned, seal, smallOptions, smallSample } from './small.ts'

vi.setConfig({ testTimeout: runTimeout })

const POOLS = [65536, 262144, 8388608]
const ROOT = 7

/** Opens an image; the reason if it was refused, which must have left every byte as it was. */
function refusal(image: Image, cacheBytes: number): string | undefined {
  const storage = fastStorage(image)
  try {
    closeQuietly(open('db', { ...smallOptions, cacheBytes, storage }))
    return undefined
  } catch (error) {
    expectReported(error)
    expect(differences(image, readImage('db', storage))).toEqual([])
    return (error as Error).message
  }
}

const blocksIn = (image: Image): number => image.get('data')!.length / BLOCK

describe.each(POOLS)('with a pool of %i bytes', cacheBytes => {
  test('a block that is newer than the log', () =>
    seeded(async random => {
      const { live } = await smallSample(random)
      let refused = 0
      for (let block = 1; block < blocksIn(live); block++) {
        const image = copyImage(live)
        image.get('data')!.set([255, 255, 255, 255, 0, 0, 0, 0], block * BLOCK + AT_LSN)
        seal(image, block)
        const reason = refusal(image, cacheBytes)
        if (reason === undefined) continue
        refused++
        expect(reason).toMatch(new RegExp(`data, block ${block}: .*behind the end of the log`))
      }
      expect(refused).toBeGreaterThan(2)
    }))

  test('a block that is damaged, with no image of it in the log', () =>
    seeded(async random => {
      const { live } = await smallSample(random)
      let refused = 0
      for (let block = 1; block < blocksIn(live); block++) {
        const image = copyImage(live)
        image.get('data')!.fill(0xa5, block * BLOCK + 100, block * BLOCK + 200)
        const reason = refusal(image, cacheBytes)
        if (reason === undefined) continue
        refused++
        expect(reason).toMatch(new RegExp(`data, block ${block}: .*no image`))
      }
      expect(refused).toBeGreaterThan(2)
    }))

  test('a directory that is damaged, on the way to what has to be undone', () =>
    seeded(async random => {
      const image = await withLoser(random)
      expect(refusal(copyImage(image), cacheBytes)).toBeUndefined()
      expect(image.get('data')![ROOT * BLOCK + AT_KIND]).toBe(BlockKind.directory)
      image.get('data')![ROOT * BLOCK + 100]! ^= 1
      expect(refusal(image, cacheBytes)).toMatch(new RegExp(`data, block ${ROOT}: wrong checksum`))
    }))

  test('what was cut short is undone, when nothing is damaged', () =>
    seeded(async random => {
      const storage = fastStorage(await withLoser(random))
      const db = open('db', { ...smallOptions, cacheBytes, storage })
      expect(new Set([...scanned(db).values()].map(value => value[0]))).toEqual(new Set(['a', 'c']))
      closeQuietly(db)
    }))
})

/** A database with a transaction under way that has changed records below a directory, which the log does not name. */
async function withLoser(random: Random): Promise<Image> {
  const storage = fastStorage(new Map())
  const db = open('db', { ...smallOptions, storage })
  const hash = hashIn(readImage('db', storage))
  const keys = keysOfRoot(hash, ROOT, 40, random)
  for (const key of keys) db.put(key, 'a'.repeat(800))
  await db.checkpoint()
  const transaction = db.begin()
  for (const key of keys.slice(0, 20)) transaction.put(key, 'b'.repeat(800))
  for (const key of keysOfRoot(hash, ROOT + 1, 30, random)) db.put(key, 'c'.repeat(400))
  const image = readImage('db', storage)
  transaction.rollback()
  closeQuietly(db)
  return image
}
