/**
 * A disk filled to the brim (R1 to R3 of room.ts): reads go on, deletes do, nothing is lost, and with room again
 * everything goes on by itself.
 */
import { existsSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Database, DiskFullError, type OpenOptions, open } from '../../src/index.ts'
import { run } from '../cli/run.ts'
import { startXenon } from '../redis/servers.ts'
import { bulk, Wire } from '../server/wire.ts'
import { pause, startChild } from '../support/child.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { expectCode, failureOf, thrownBy } from '../support/errors.ts'
import { type SmallDisk, whyNoDisk, withSmallDisk } from './small-disk.ts'

const MiB = 1 << 20
const VALUE = 'v'.repeat(1000)
const RESERVE = MiB

const options: OpenOptions = { durability: 'process' }

/** Puts records until one is refused; returns how many there are. */
function fill(db: Database, from: number = 0): number {
  for (let i = from; ; i++) {
    const failure = thrownBy(() => db.put(`key ${i}`, VALUE))
    if (failure === undefined) continue
    expect(failure).toBeInstanceOf(DiskFullError)
    expect(failure).toMatchObject({ code: 'XENON_FULL' })
    return i
  }
}

function expectRecords(db: Database, from: number, to: number): void {
  expect(db.stats().records).toBe(to - from)
  for (let i = from; i < to; i++)
    if (db.get(`key ${i}`) !== VALUE) throw new Error(`record ${i} of ${from} to ${to} is lost`)
}

describe.skipIf(whyNoDisk('tmpfs') !== undefined)('a tmpfs of 24 MiB', () => {
  const on24 = (body: (disk: SmallDisk, directory: string) => unknown) => () =>
    withSmallDisk('tmpfs', disk => body(disk, `${disk.directory}/db`), 24 * MiB)

  test(
    'that the database fills itself: reads, deletes, compaction, and puts when there is room again',
    on24(async (disk, directory) => {
      const db = open(directory, options)
      let records = fill(db)
      // Another look, later, may find that a little more fits.
      await pause(600)
      records = fill(db, records)
      expect(records * VALUE.length).toBeGreaterThan(12 * MiB)
      expect(db.stats().disk).toMatchObject({ full: true })
      expectRecords(db, 0, records)
      const snapshot = db.snapshot()
      expect(snapshot.count()).toBe(records)
      snapshot.close()
      await expectVerified(db, records)
      // What is refused changes nothing.
      for (const action of [
        () =>
          db.batch([
            { type: 'delete', key: 'key 0' },
            { type: 'put', key: 'new', value: VALUE },
          ]),
        () => db.transaction(tx => tx.put('new', VALUE)),
        () => db.expire('key 0', 1e9),
        () => db.put('key 0', VALUE.repeat(100)),
      ])
        expectCode(action, 'XENON_FULL')
      await expect(db.async.put('new', VALUE)).rejects.toMatchObject({ code: 'XENON_FULL' })
      expect(db.has('new')).toBe(false)
      expect(db.stats().disk.refused).toBeGreaterThan(4)
      const tx = db.begin()
      for (let i = 0; i < 300; i++) tx.delete(`key ${i}`)
      tx.rollback()
      const gone = records - 300
      for (let i = 0; i < gone; i++) {
        expect(db.delete(`key ${i}`)).toBe(true)
        // Deletes have a log too: what they free is given back before that has taken the last of the room.
        // By how much the log has taken until then, that finds room or says that there is none yet; deletes go on.
        if (i % 10_000 !== 9_999) continue
        const error = await failureOf(() => db.compact())
        if (error !== undefined) expect(error).toMatchObject({ code: 'XENON_FULL' })
      }
      await db.compact()
      expect(disk.available).toBeGreaterThan(12 * MiB)
      db.put('key 0', VALUE)
      db.delete('key 0')
      expect(db.stats().disk).toMatchObject({ full: false, reserve: RESERVE })
      expectRecords(db, gone, records)
      db.close()
      const again = open(directory, options)
      expectRecords(again, gone, records)
      await expectVerified(again, records - gone)
      again.close()
    }),
  )

  test(
    'that something else fills, again and again: the handle goes on by itself',
    on24(async (disk, directory) => {
      const db = open(directory, { ...options, durability: 'power' })
      let records = 0
      for (const room of [0, 3 * MiB, 100_000]) {
        for (let i = 0; i < 200; i++) db.put(`key ${records++}`, VALUE)
        disk.leave(room)
        records = fill(db, records)
        expectRecords(db, 0, records)
        await db.flush()
        if (room === 0) await db.checkpoint().catch(error => expect(error.code).toBe('XENON_FULL'))
        disk.free()
        db.put(`key ${records++}`, VALUE)
        expect(db.stats().disk).toMatchObject({ full: false, reserve: RESERVE })
      }
      disk.leave(0)
      fill(db, records)
      // A close that finds no room keeps the log, and loses nothing.
      db.close()
      const reader = open(directory, { ...options, readOnly: true })
      expectRecords(reader, 0, reader.stats().records)
      expect(reader.stats().records).toBeGreaterThanOrEqual(records)
      records = reader.stats().records
      reader.close()
      disk.free()
      const again = open(directory, options)
      expectRecords(again, 0, records)
      await expectVerified(again, records)
      again.close()
    }),
  )

  for (const withReserve of [true, false])
    test(
      `whose writer is killed, ${withReserve ? 'with' : 'without'} the reserve: opens for reading at once, for deleting after at most 1 MiB is freed`,
      on24(async (disk, directory) => {
        const writer = startChild('faults/writer.mjs', [directory, JSON.stringify(options), '1000', '0'])
        await writer.firstLine
        while (disk.available > 9 * MiB) await pause(5)
        writer.process.kill('SIGSTOP')
        disk.leave(0)
        writer.kill()
        const { lines } = await writer.ended
        const acknowledged = lines.filter(line => /^\d+$/.test(line)).length
        expect(acknowledged).toBeGreaterThan(1000)
        if (!withReserve) {
          rmSync(`${directory}/log/reserve`, { force: true })
          disk.leave(0)
        } else expect(existsSync(`${directory}/log/reserve`)).toBe(true)
        expect(disk.available).toBe(0)

        let started = performance.now()
        const reader = open(directory, { ...options, readOnly: true })
        const records = reader.stats().records
        console.log(`read after ${Math.round(performance.now() - started)} ms, ${records} records`)
        expect(records - acknowledged).toBeLessThanOrEqual(1)
        expectRecords(reader, 0, records)
        await expectVerified(reader, records)
        reader.close()
        expect(await run('get', directory, 'key 7')).toMatchObject({ status: 0, stdout: VALUE })

        if (!withReserve) {
          for (let attempt = 0; attempt < 5; attempt++) {
            expectCode(() => open(directory, options), 'XENON_FULL')
            expect(disk.available, 'what failed attempts leave').toBe(0)
          }
          disk.shrink(MiB)
          for (let attempt = 0; attempt < 2; attempt++)
            expect(await run('get', directory, 'key 7')).toMatchObject({ status: 0 })
        }
        started = performance.now()
        const db = open(directory, options)
        console.log(`deleting after ${Math.round(performance.now() - started)} ms`)
        expectCode(() => db.put('new', VALUE), 'XENON_FULL')
        for (let i = 0; i < 300; i++) expect(db.delete(`key ${i}`)).toBe(true)
        expectRecords(db, 300, records)
        db.close()
        expect(await run('delete', directory, 'key 300')).toMatchObject({ status: 0 })
        expect((await run('put', directory, 'new', 'value')).stderr).toContain('XENON_FULL')

        disk.free()
        const again = open(directory, options)
        expectRecords(again, 301, records)
        again.put('new', VALUE)
        await expectVerified(again, records - 300)
        again.close()
      }),
    )

  test(
    'under a running server: reads are answered, writes refused until there is room, even after its handle has failed',
    on24(async (disk, directory) => {
      const server = await startXenon(directory, '--log-level', 'silent')
      try {
        let client = await Wire.open(server.port)
        await client.expect('SET a 1\r\n', '+OK\r\n')
        disk.leave(0)
        const value = 'x'.repeat(100_000)
        let refused = ''
        for (let i = 0; refused === '' && i < 100; i++) {
          client.write(set(`big${i}`, value))
          const reply = await client.until(received => received.endsWith('\r\n'))
          client.received = ''
          if (reply.startsWith('-')) refused = reply
        }
        expect(refused).toMatch(/^-DISKFULL /)
        await client.expect('GET a\r\n', '$1\r\n1\r\n')
        await client.expect('DEL a\r\n', ':1\r\n')
        disk.free()
        await client.expect('SET a 2\r\n', '+OK\r\n')

        // Now the reserve is gone too, between two looks: the handle fails, and another takes its place.
        rmSync(`${directory}/log/reserve`)
        disk.leave(0)
        for (let i = 0; i < 500 && !client.closed; i++) {
          client.write(set(`more${i}`, value.slice(0, 10_000)))
          await client.until(received => received.endsWith('\r\n')).catch(() => {})
          if (client.received.startsWith('-')) break
          client.received = ''
        }
        client.close()
        client = await reconnected(server.port)
        await client.expect('GET a\r\n', '$1\r\n2\r\n')
        client.write(set('b', value))
        expect(await client.until(received => received.endsWith('\r\n'))).toMatch(/^-DISKFULL /)
        client.received = ''
        client.write('INFO persistence\r\n')
        expect(await client.until(received => received.includes('database_reopened'))).toContain('disk_full:1')
        client.close()
        disk.free()
        client = await reconnected(server.port)
        const deadline = Date.now() + 5000
        for (;;) {
          client.write('SET b 3\r\n')
          const reply = await client.until(received => received.endsWith('\r\n'))
          client.received = ''
          if (reply === '+OK\r\n') break
          expect(reply).toMatch(/^-DISKFULL /)
          if (Date.now() > deadline) throw new Error('the server does not go on')
          await pause(50)
        }
        await client.expect('GET b\r\n', '$1\r\n3\r\n')
        await client.expect('GET a\r\n', '$1\r\n2\r\n')
        client.close()
      } finally {
        await server.stop()
      }
      const db = open(directory, options)
      try {
        expect(db.get('b')).toBe('3')
        await expectVerified(db)
      } finally {
        closeQuietly(db)
      }
    }),
  )
})

const set = (key: string, value: string): string => `*3\r\n${bulk('SET')}${bulk(key)}${bulk(value)}`

async function reconnected(port: number): Promise<Wire> {
  for (let attempt = 0; ; attempt++) {
    try {
      const client = await Wire.open(port)
      await client.expect('PING\r\n', '+PONG\r\n')
      return client
    } catch (error) {
      if (attempt === 50) throw error
      await pause(50)
    }
  }
}
