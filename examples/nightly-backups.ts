/**
 * A bot that counts what people say, makes a verified backup each night at 3 o'clock, keeps fourteen of them, and prints
 * what will hurt before it does. With `--once` it makes one backup, restores it, and ends.
 *
 *     node build/examples/nightly-backups.js [directory] [--once]
 */
import { join } from 'node:path'
import { type Database, open, restore } from 'xenondb'

const HOUR = 3

/** Milliseconds until it is so many o'clock the next time. */
const untilHour = (hour: number, now: Date = new Date()): number => {
  const next = new Date(now)
  next.setHours(hour, 0, 0, 0)
  if (next <= now) next.setDate(next.getDate() + 1)
  return next.getTime() - now.getTime()
}

const backUp = async (db: Database, backups: string): Promise<void> => {
  try {
    const { records, kept = [] } = await db.backup(backups, { keep: 14, verify: true })
    console.log(`backed up ${records} records; ${kept.length} backups are kept`)
  } catch (error) {
    // The bot goes on, and the backups of before are still there.
    console.error('the backup failed:', error)
  }
}

const eachNight = (work: () => Promise<void>): void => {
  setTimeout(async () => {
    await work()
    eachNight(work)
  }, untilHour(HOUR)).unref()
}

const hear = (db: Database, who: string): void => {
  db.transaction(tx => tx.put(who, `${Number(tx.get(who) ?? 0) + 1}`))
}

const once = process.argv.includes('--once')
const home = process.argv.slice(2).find(argument => !argument.startsWith('-')) ?? 'bot'
const backups = join(home, 'backups')
const db = open(join(home, 'db'), { onWarning: ({ code, message }) => console.error(`${code}: ${message}`) })

for (const who of ['ada', 'alan', 'ada']) hear(db, who)

if (once) {
  await backUp(db, backups)
  db.close()
  const { records } = await restore(backups, join(home, 'restored'))
  console.log(`restored ${records} records`)
  const restored = open(join(home, 'restored'))
  console.log(`ada has said ${restored.get('ada')} things`)
  restored.close()
} else {
  eachNight(() => backUp(db, backups))
  process.stdin.on('data', text => hear(db, String(text).trim() || 'nobody'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      db.close()
      process.exit()
    })
}
