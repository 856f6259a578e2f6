/** Backups and restores that are killed (SIGKILL) at a random moment: what bears a whole name is whole. */
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open, restore } from '../../src/index.ts'
import { pause, startChild } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { runs, seeded } from '../support/random.ts'

const KILLS = 8
const RECORDS = 1500

const fill = (directory: string): void => {
  const db = open(directory, { durability: 'none' })
  for (let i = 0; i < RECORDS; i++) db.put(`key ${i}`, `${i} `.repeat(100))
  db.close()
}

const expectWhole = async (directory: string): Promise<void> => {
  const db = open(directory, { createIfMissing: false })
  try {
    expect(db.count('key')).toBe(RECORDS)
    await expectVerified(db)
  } finally {
    db.close()
  }
}

const killed = async (what: string, parameters: string[], after: number): Promise<string[]> => {
  const child = startChild('crash/backup-child.mjs', [what, ...parameters])
  try {
    await child.firstLine
    await pause(after)
  } finally {
    child.kill()
  }
  const { lines, signal, errors } = await child.ended
  expect(signal, errors).toBe('SIGKILL')
  return lines.slice(1)
}

test(`after ${KILLS} kills every dated backup is whole, those that had returned are there, and leftovers go`, () =>
  seeded(random =>
    withDirectory(async parent => {
      const [db, backups] = [`${parent}/db`, `${parent}/backups`]
      fill(db)
      let leftovers = 0
      // Until one was killed in the midst of a backup.
      for (let kill = 0; kill < KILLS * runs || (leftovers === 0 && kill < 20 * KILLS); kill++) {
        const returned = await killed('backup', [db, backups], random.between(5, 250) + 10 * kill)
        const names = existsSync(backups) ? readdirSync(backups) : []
        const whole = names.filter(name => /Z(-\d+)?$/.test(name))
        const partial = names.filter(name => name.endsWith('.partial'))
        expect(whole.length + partial.length).toBe(names.length)
        leftovers += partial.length
        // Of those that had returned the last one is there for certain; one more may have been finished.
        const last = returned.at(-1)
        if (last !== undefined) expect(existsSync(`${last}/data`), last).toBe(true)
        // One of old that could not be removed any more, the two that are kept, and one more that had just got its name.
        expect(whole.length).toBeLessThanOrEqual(4)
        for (const name of whole) await expectWhole(`${backups}/${name}`)
      }
      expect(leftovers).toBeGreaterThan(0)
      const source = open(db)
      const whole = readdirSync(backups).filter(name => !name.endsWith('.partial'))
      const { kept } = await source.backup(backups, { keep: 2 })
      expect(kept).toHaveLength(Math.min(2, whole.length + 1))
      expect(readdirSync(backups).sort()).toEqual([...kept!].sort())
      await expectVerified(source)
      source.close()
    }),
  ))

test(`after ${KILLS} kills of a restore the database is there whole, or open says where it is`, () =>
  seeded(random =>
    withDirectory(async parent => {
      const [db, backup] = [`${parent}/db`, `${parent}/backup`]
      fill(db)
      const source = open(db)
      await source.backup(backup)
      source.close()
      for (let kill = 0; kill < KILLS * runs; kill++) {
        await killed('restore', [db, backup], random.between(5, 200))
        if (existsSync(`${db}/data`)) await expectWhole(db)
        else {
          expect(() => open(db)).toThrow('was cut off')
          await expectWhole(`${db}.replaced`)
          await expectWhole(`${db}.restoring`)
        }
      }
      await restore(backup, db, { overwrite: true })
      await expectWhole(db)
      expect(readdirSync(parent).sort()).toEqual(['backup', 'db'])
    }),
  ))
