/** Runs one job in a process of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { MemoryLimit } from '../support/memory-limit.ts'
import type { Job, Metrics, Reply } from './job.ts'
import { nodeFor } from './node.ts'

const runner = fileURLToPath(new URL('./runner.js', import.meta.url))
const running = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class JobError extends Error {}
/** The store cannot do what was asked. */
export class JobSkipped extends Error {}

/** The figures of a job, under a limit of memory if there is one. Throws `JobError` when it failed or its process died. */
export async function runJob(job: Job, limit?: MemoryLimit): Promise<Metrics> {
  settleDisk()
  const child = start([nodeFor(job.store), runner], limit)
  running.add(child)
  try {
    const reply = await replyOf(child, job)
    if ('skipped' in reply) throw new JobSkipped(reply.skipped)
    if ('error' in reply) throw new JobError(reply.error)
    return reply.metrics
  } finally {
    running.delete(child)
    child.kill('SIGKILL')
  }
}

/** The shell enters the group first, so that all that Node takes counts, and Node sees the limit as it begins. */
function start(command: readonly [string, string], limit: MemoryLimit | undefined): ChildProcess {
  const [program, ...parameters] =
    limit === undefined ? command : ['sh', '-c', 'echo $$ > "$0" && exec "$@"', limit.processes, ...command]
  return spawn(program, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

function replyOf(child: ChildProcess, job: Job): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let reply: Reply | undefined
    child.on('message', message => {
      reply = message as Reply
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (reply !== undefined) resolve(reply)
      else reject(new JobError(`the process ended with ${signal ?? `status ${code}`} before it answered`))
    })
    child.send(job)
  })
}

/** Writes out what the run before left in the page cache: its write-back must not slow down the next store's. */
function settleDisk(): void {
  if (process.platform !== 'win32') spawnSync('sync')
}
