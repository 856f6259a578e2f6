/** BACKUP and COMPACT, which Redis lacks, and WAITAOF, which came with Redis 7.2. */

import { join } from 'node:path'
import type { ReplyWriter } from '../protocol/reply.ts'
import { numberAt } from './arguments.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'
import { answerLater } from './later.ts'

/** A reply of names and values. */
const report =
  (fields: Record<string, string | number>) =>
  (out: ReplyWriter): void => {
    const entries = Object.entries(fields)
    out.map(entries.length)
    for (const [name, value] of entries) {
      out.text(name)
      if (typeof value === 'number') out.integer(value)
      else out.text(value)
    }
  }

export const maintenance: Family = family(
  { group: 'server', afterBegin: 'refused' },
  {
    backup: {
      arity: 1,
      flags: 'admin noscript',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity: 'O(N)',
      summary: 'Copy the database to the backup directory of the server (xenondb)',
      afterMulti: 'refused',
      run(caller) {
        const { server } = caller
        const { backupDirectory } = server.settings
        if (backupDirectory === undefined)
          throw new CommandError('ERR this server was started without a directory for backups')
        const name = `backup-${new Date().toISOString().replace(/[:.]/g, '-')}-${server.counts.commands}`
        answerLater(caller, async () => {
          const { bytes, records } = await server.db.backup(join(backupDirectory, name))
          return report({ name, bytes, records })
        })
      },
    },
    compact: {
      arity: 1,
      flags: 'admin noscript',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity: 'O(N)',
      summary: 'Give free space back to the file system (xenondb)',
      afterMulti: 'refused',
      run(caller) {
        answerLater(caller, async () => {
          const { blocksBefore, blocksAfter, bytesBefore, bytesAfter } = await caller.server.db.compact()
          return report({ blocksBefore, blocksAfter, bytesBefore, bytesAfter })
        })
      },
    },
    waitaof: {
      arity: 4,
      flags: 'noscript',
      categories: '@slow @connection',
      since: '7.2.0',
      complexity: 'O(1)',
      summary: 'Answers once what was written before survives the loss of power; there are no replicas',
      group: 'generic',
      afterMulti: 'refused',
      run(caller, request) {
        for (let i = 1; i < 4; i++)
          if (numberAt(request, i) < 0) throw new CommandError('ERR value is out of range, must be positive')
        answerLater(caller, async () => {
          await caller.server.db.flush()
          return out => {
            out.array(2)
            out.integer(1)
            out.integer(0)
          }
        })
      },
    },
  },
)
