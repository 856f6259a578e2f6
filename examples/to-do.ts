/**
 * A to-do list with two indexes: what is due next, and what has a tag.
 * `npm run build && node build/examples/to-do.js`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'xenondb'

interface Task {
  title: string
  /** A day, such as '2026-03-01': text that orders as days do. */
  due?: string
  tags: string[]
  isDone: boolean
}

const directory = mkdtempSync(join(tmpdir(), 'xenondb-to-do-'))
const db = open(join(directory, 'lists'))
const tasks = db.sub<Task>('tasks', { valueEncoding: 'json' })

// Declared right after open, before the first write. Tasks that are done, or have no day, are not in the first one.
const due = tasks.index('due', task => (task.isDone ? undefined : task.due))
// Several keys for each task.
const tagged = tasks.index('tag', task => task.tags)

tasks.batch([
  { type: 'put', key: 't1', value: { title: 'Water the plants', due: '2026-03-02', tags: ['home'], isDone: false } },
  { type: 'put', key: 't2', value: { title: 'File the taxes', due: '2026-05-31', tags: ['money'], isDone: false } },
  {
    type: 'put',
    key: 't3',
    value: { title: 'Pay the rent', due: '2026-03-01', tags: ['home', 'money'], isDone: false },
  },
  { type: 'put', key: 't4', value: { title: 'Learn the lute', tags: [], isDone: false } },
])

const titles = (found: Iterable<[string, string, Task]>): string =>
  [...found].map(([, , { title }]) => title).join(', ')

console.log('by the end of March:', titles(due.entries({ lte: '2026-03-31' })))
console.log('next:', due.entries({ limit: 1 }).next().value?.[2].title)
console.log('money:', titles(tagged.entries('money')))

// The indexes follow in the same transaction: what is done is no longer due.
tasks.transaction(tx => tx.put('t3', { ...tx.get('t3')!, isDone: true }))
console.log('still due:', titles(due.entries()))
console.log('tags:', [...tagged.keys()].map(([tag, key]) => `${tag} ${key}`).join(', '))

db.close()
rmSync(directory, { recursive: true })
