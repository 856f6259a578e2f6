/** A backup that was packed with something else than tar: the error says how to unpack it. */
import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { CorruptionError, open, restore } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'

test.each([
  ['gzip -d', gzipSync(Buffer.alloc(4096))],
  ['zstd -d', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...new Uint8Array(2000)])],
  ['xz -d', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, ...new Uint8Array(2000)])],
  ['bzip2 -d', Buffer.from(`BZh9${'x'.repeat(2000)}`)],
  ['unzip', Buffer.from([0x50, 0x4b, 3, 4, ...new Uint8Array(2000)])],
  [undefined, Buffer.from('short')],
  [undefined, Buffer.from('something else '.repeat(200))],
])('an archive that %s would unpack is refused with that hint', (command, bytes) =>
  withDirectory(async parent => {
    writeFileSync(`${parent}/backup.tar.gz`, bytes)
    const error = await restore(`${parent}/backup.tar.gz`, `${parent}/db`).then(
      () => undefined,
      problem => problem,
    )
    expect(error).toBeInstanceOf(CorruptionError)
    expect(error.message).toContain(command === undefined ? 'is no tar archive' : `unpack it first (${command})`)
    const db = open(`${parent}/db`)
    expect((await db.verify()).ok).toBe(true)
    db.close()
  }),
)
