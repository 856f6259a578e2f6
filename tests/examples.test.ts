import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { natsProgram } from './cluster/nats-servers.ts'
import { withDirectory } from './support/directory.ts'

const built = (name: string): string => fileURLToPath(new URL(`../build/examples/${name}.js`, import.meta.url))

function run(name: string, args: readonly string[], temporary: string) {
  const env = { ...process.env, TMPDIR: temporary, NO_COLOR: '1' }
  return spawnSync(process.execPath, [built(name), ...args], { encoding: 'utf8', env })
}

test('the walk passes all its checks and leaves nothing behind', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('students', ['--quick'], directory)
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/All \d+ checks passed\./)
    expect(stdout).not.toContain('✗')
    expect(readdirSync(directory)).toEqual([])
  }))

test('the walk keeps a directory that is named, and refuses one that is used', () =>
  withDirectory(directory => {
    const kept = `${directory}/kept`
    const first = run('students', [kept, '--quick'], directory)
    expect(first.status, first.stdout + first.stderr).toBe(0)
    expect(readdirSync(kept).sort()).toEqual(['cities', 'students'])
    const { status, stderr } = run('students', [kept, '--quick'], directory)
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^students: .* exists; [^\n]*\n$/),
    })
    expect(existsSync(`${kept}/cities`)).toBe(true)
  }))

test('worker threads share one database, and lose no addition', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('workers', [], directory)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toBe('counter: 100 after 4 workers added 1 25 times each\n')
    expect(readdirSync(directory)).toEqual([])
  }))

test('processes share one database, and lose no addition when its owner is killed', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('cluster', [], directory)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toBe('the owner was killed, and none of the additions of 4 processes was lost\n')
    expect(readdirSync(directory)).toEqual([])
  }))

test.skipIf(natsProgram === undefined)('a whole cluster loses nothing when its leader is killed', () =>
  withDirectory(directory => {
    process.env.NATS_SERVER = natsProgram
    const { status, stdout, stderr } = run('cluster/cluster', [], directory)
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(
      /^cluster example: .*\nnode \d leads, and is killed\nnode \d leads now\n\d+ writes were acknowledged, none was lost; .* s\n$/,
    )
    expect(readdirSync(directory)).toEqual([])
  }),
)

test('a bot makes a backup that restores', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('nightly-backups', [`${directory}/bot`, '--once'], directory)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'backed up 2 records; 1 backups are kept',
      'restored 2 records',
      'ada has said 2 things',
      '',
    ])
    expect(readdirSync(`${directory}/bot`).sort()).toEqual(['backups', 'db', 'restored'])
  }))

test('the quickstart prints what its comments say', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('quickstart', [], directory)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      "{ name: 'Ada Lovelace', born: 1815 }",
      'undefined',
      "alan { name: 'Alan Turing', born: 1912 }",
      '',
    ])
    expect(readdirSync(directory)).toEqual([])
  }))

test('a torn checkpoint corrupts the file without the log, and does no harm with it', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('corrupt-write', [], directory)
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/XENON_CORRUPT: db\/data, block \d+: /)
    expect(stdout).toMatch(/Log off: corrupted, [1-9]\d* of 60 committed updates lost\. Log on: unharmed, 0 lost\./)
    expect(stdout).not.toContain('✗')
    expect(readdirSync(directory)).toEqual([])
  }))

test('the bank keeps its total, whenever somebody looks', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('bank', [], directory)
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^500 transfers, all at once: \d+ done, \d+ refused for want of money$/m)
    expect(stdout).toMatch(/^total, whenever somebody looked: 500$/m)
    expect(stdout).toMatch(/^total now: 500, and nobody is below zero$/m)
    expect(readdirSync(directory)).toEqual([])
  }))

test('write skew breaks a rule below serializable, and not there', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('write-skew', [], directory)
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'read-committed: 2 went home, 0 on call, the rule is broken',
      'snapshot: 2 went home, 0 on call, the rule is broken',
      'serializable: 1 went home, 1 on call, the rule holds',
      'snapshot, with a record that both change: 1 went home, the rule holds',
      '',
    ])
    expect(readdirSync(directory)).toEqual([])
  }))

test('the event log finds streams, spans of time and the last event, and values of any type', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('event-log', [], directory)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'the whole of order 9, which is not order 10:',
      '  order 9 2026-11-29T09:00 placed',
      '  order 9 2026-11-29T09:05 paid',
      '  order 9 2026-11-30T08:00 shipped',
      '  order 9 2026-12-02T16:30 refunded',
      '  order 9 2026-12-02T16:30 closed',
      'from 30 November on:',
      '  order 9 2026-11-30T08:00 shipped',
      '  order 9 2026-12-02T16:30 refunded',
      '  order 9 2026-12-02T16:30 closed',
      'the last event: closed',
      'EUR in all: 2200',
      'a Date again: true, and every digit: 18446744073709551616',
      'events left without order 9: 1',
      '',
    ])
    expect(readdirSync(directory)).toEqual([])
  }))

test('a to-do list finds tasks by two indexes', () =>
  withDirectory(directory => {
    const { status, stdout, stderr } = run('to-do', [], directory)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'by the end of March: Pay the rent, Water the plants',
      'next: Pay the rent',
      'money: File the taxes, Pay the rent',
      'still due: Water the plants, File the taxes',
      'tags: home t1, home t3, money t2, money t3',
      '',
    ])
    expect(readdirSync(directory)).toEqual([])
  }))
