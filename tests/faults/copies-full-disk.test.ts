/** Copies of a database that find no room on their disk. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { convert, open, restore, salvage } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCodeAsync } from '../support/errors.ts'
import { whyNoDisk, withSmallDisk } from './small-disk.ts'

const RECORDS = 3000

const expectVerifiedAt = async (directory: string): Promise<void> => {
  const db = open(directory)
  await expectVerified(db, RECORDS)
  db.close()
}

test.skipIf(whyNoDisk('tmpfs') !== undefined)(
  'backup, restore, salvage and convert say that the disk is full, and leave nothing behind',
  () =>
    withSmallDisk('tmpfs', disk =>
      withDirectory(async parent => {
        const db = open(`${parent}/db`, { durability: 'none' })
        for (let i = 0; i < RECORDS; i++) db.put(`key ${i}`, 'v'.repeat(300))
        await db.backup(`${parent}/copy`)
        const works: Record<string, (directory: string) => Promise<unknown>> = {
          backup: directory => db.backup(`${directory}/backup`),
          'backup with keep': directory => db.backup(`${directory}/backups`, { keep: 2 }),
          restore: directory => restore(`${parent}/copy`, `${directory}/restored`),
          salvage: directory => salvage(`${parent}/copy`, `${directory}/salvaged`),
        }
        const databases = (): string[] =>
          readdirSync(disk.directory, { recursive: true, encoding: 'utf8' })
            .filter(path => path.endsWith('data'))
            .sort()
        for (const [name, work] of Object.entries(works)) {
          const before = databases()
          for (const room of [8192, 400_000]) {
            disk.leave(room)
            const error = await expectCodeAsync(() => work(disk.directory), 'XENON_FULL')
            expect(error.message, name).toMatch(/disk.* full.*free/)
          }
          disk.free()
          expect(databases(), name).toEqual(before)
          await work(disk.directory)
        }
        await expectVerifiedAt(`${disk.directory}/restored`)
        await expectVerifiedAt(`${disk.directory}/salvaged`)
        disk.leave(400_000)
        await expectCodeAsync(() => convert(`${disk.directory}/restored`, { blockSize: 8192 }), 'XENON_FULL')
        disk.free()
        await expectVerifiedAt(`${disk.directory}/restored`)
        await expectVerified(db, RECORDS)
        db.close()
      }),
    ),
)
