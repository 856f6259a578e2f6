import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeFor } from './node.js';
const runner = fileURLToPath(new URL('./runner.js', import.meta.url));
const running = new Set();
process.on('exit', () => {
    for (const child of running)
        child.kill('SIGKILL');
});
export class JobError extends Error {
}
export class JobSkipped extends Error {
}
export async function runJob(job, limit) {
    settleDisk();
    const child = start([nodeFor(job.store), runner], limit);
    running.add(child);
    try {
        const reply = await replyOf(child, job);
        if ('skipped' in reply)
            throw new JobSkipped(reply.skipped);
        if ('error' in reply)
            throw new JobError(reply.error);
        return reply.metrics;
    }
    finally {
        running.delete(child);
        child.kill('SIGKILL');
    }
}
function start(command, limit) {
    const [program, ...parameters] = limit === undefined ? command : ['sh', '-c', 'echo $$ > "$0" && exec "$@"', limit.processes, ...command];
    return spawn(program, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}
function replyOf(child, job) {
    return new Promise((resolve, reject) => {
        let reply;
        child.on('message', message => {
            reply = message;
        });
        child.on('error', reject);
        child.on('exit', (code, signal) => {
            if (reply !== undefined)
                resolve(reply);
            else
                reject(new JobError(`the process ended with ${signal ?? `status ${code}`} before it answered`));
        });
        child.send(job);
    });
}
function settleDisk() {
    if (process.platform !== 'win32')
        spawnSync('sync');
}
//# sourceMappingURL=child.js.map