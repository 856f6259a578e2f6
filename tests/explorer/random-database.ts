/** Fills a database with everything that has a kind of block of its own, at random. */
import type { Database } from '../../src/index.ts'
import type { Random } from '../support/random.ts'

/** Records of the root as they are at the end. */
export const fillAtRandom = (db: Database, random: Random, steps: number): Map<string, string> => {
  const model = new Map<string, string>()
  const subs = [db.sub('users'), db.sub('users').sub('mails'), db.sub('<b>markup</b>')]
  for (let i = 0; i < steps; i++) {
    const key = `${'key/'.repeat(random.below(4))}${random.below(steps)}`
    const what = random.below(20)
    if (what < 12) {
      const value = `${i}`.repeat(random.between(1, 60))
      db.put(key, value)
      model.set(key, value)
    } else if (what < 15) {
      db.delete(key)
      model.delete(key)
    } else if (what === 15) {
      const value = 'L'.repeat(random.between(2_000, 30_000))
      db.put(key, value)
      model.set(key, value)
    } else if (what === 16) {
      db.put(key, `${i}`, { ttl: 3_600_000 })
      model.set(key, `${i}`)
    } else if (what === 17) {
      const tx = db.begin()
      tx.put(key, 'taken back')
      tx.put(`${key}/large`, 'x'.repeat(9_000))
      tx.rollback()
    } else subs[random.below(subs.length)]!.put(key, `${i}`)
  }
  return model
}
