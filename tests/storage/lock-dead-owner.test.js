import { spawn, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, readlinkSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { expectCode } from '../support/errors.js';
import { forge } from './lock-owner.js';
import { freshDirectory } from './places.js';
const top = freshDirectory();
const script = fileURLToPath(new URL('opener.mjs', import.meta.url));
const module = new URL('../../dist/index.js', import.meta.url).href;
const canUnshare = process.platform === 'linux' && spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
const isInitial = process.platform === 'linux' && readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]';
const children = new Set();
afterAll(() => {
    for (const child of children)
        child.kill('SIGKILL');
});
const startWorker = async (directory) => {
    const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.module).then(({ open }) => {
      const db = open(workerData.directory, { durability: 'process' })
      db.put('worker', 'x')
      parentPort.on('message', message => {
        if (message === 'end') process.exit()
        db.put(message, 'x')
        parentPort.postMessage('stored')
      })
      parentPort.postMessage('open')
    })`;
    const worker = new Worker(code, { eval: true, workerData: { module, directory } });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    return worker;
};
const startOpener = async (directory, options, container) => {
    const node = [process.execPath, script, directory, JSON.stringify(options)];
    const [command, ...rest] = container ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', ...node] : node;
    const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.add(child);
    const line = await new Promise(resolve => child.stdout.once('data', data => resolve(String(data))));
    return { child, answer: JSON.parse(line) };
};
const gone = async ({ child }) => {
    const exited = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
    children.delete(child);
};
const insideOf = ({ child }) => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0]);
test('the lock of a worker thread that was terminated is taken over at once, by the same process and by another', async () => {
    for (const [name, end] of [
        ['terminated', (worker) => worker.terminate()],
        [
            'ended',
            async (worker) => {
                const exited = new Promise(resolve => worker.once('exit', resolve));
                worker.postMessage('end');
                await exited;
            },
        ],
    ]) {
        const directory = join(top, name);
        const worker = await startWorker(directory);
        expect(expectCode(() => open(directory), 'XENON_LOCKED').message).toContain('another thread of this process');
        expectCode(() => open(directory, { takeover: true }), 'XENON_LOCKED');
        const other = await startOpener(directory, {}, false);
        expect(other.answer).toMatchObject({ code: 'XENON_LOCKED', pid: process.pid });
        await gone(other);
        worker.postMessage('more');
        await new Promise(resolve => worker.once('message', resolve));
        await end(worker);
        const db = open(directory);
        await expectVerified(db, 2);
        db.close();
        const again = await startWorker(directory);
        await again.terminate();
        const third = await startOpener(directory, {}, false);
        expect(third.answer).toMatchObject({ event: 'open', records: 3 });
        await gone(third);
        open(directory).close();
        expect(readdirSync(directory).sort()).toEqual(['data', 'log']);
    }
});
test('of six threads that race for the lock of one that ended, one gets it and five are refused', async () => {
    const directory = join(top, 'race');
    const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.module).then(({ open }) => {
      // Not once: without a listener the thread would end, and its lock with it, while others still try.
      parentPort.on('message', () => {
        try { open(workerData.directory, { durability: 'process' }); parentPort.postMessage('open') }
        catch (error) { parentPort.postMessage(error.code) }
      })
      parentPort.postMessage('ready')
    })`;
    const start = async () => {
        const worker = new Worker(code, { eval: true, workerData: { module, directory } });
        await new Promise(resolve => worker.once('message', resolve));
        return worker;
    };
    for (let round = 0; round < 3; round++) {
        const workers = await Promise.all(Array.from({ length: 6 }, start));
        const answers = await Promise.all(workers.map(worker => {
            const answer = new Promise(resolve => worker.once('message', resolve));
            worker.postMessage('go');
            return answer;
        }));
        expect(answers.sort()).toEqual([...Array(5).fill('XENON_LOCKED'), 'open']);
        await Promise.all(workers.map(worker => worker.terminate()));
    }
    open(directory).close();
});
test('a lock that was copied with its directory holds nothing', async () => {
    const directory = join(top, 'original');
    const db = open(directory, { durability: 'process' });
    db.put('a', '1');
    cpSync(directory, `${directory}-copy`, { recursive: true });
    const other = await startOpener(`${directory}-copy`, {}, false);
    expect(other.answer).toMatchObject({ event: 'open', records: 2 });
    await gone(other);
    db.close();
});
test.skipIf(!canUnshare || !isInitial)('the lock of a container that was killed is taken over where all processes can be seen, never that of one that lives (needs root, and unshare, in the initial pid namespace)', async () => {
    const directory = join(top, 'container');
    const owner = await startOpener(directory, {}, true);
    expect(owner.answer).toMatchObject({ event: 'open', pid: 1 });
    for (const options of [{}, { takeover: true }]) {
        const error = expectCode(() => open(directory, options), 'XENON_LOCKED');
        expect(error).toMatchObject({ pid: insideOf(owner) });
        expect(error.message).toContain('of another container');
    }
    await gone(owner);
    const db = open(directory, { lockWait: 10_000 });
    await expectVerified(db, 1);
    db.close();
});
test.skipIf(!canUnshare)('where the owner cannot be seen its lock stays, unless takeover vouches for its death (needs root, and unshare)', async () => {
    const directory = join(top, 'sibling');
    const owner = await startOpener(directory, {}, true);
    await gone(owner);
    const refused = await startOpener(directory, {}, true);
    expect(refused.answer).toMatchObject({ event: 'refused', code: 'XENON_LOCKED', pid: 1 });
    expect(refused.answer.message).toContain('takeover');
    await gone(refused);
    const taker = await startOpener(directory, { takeover: true, lockWait: 10_000 }, true);
    expect(taker.answer).toMatchObject({ event: 'open', records: 1 });
    await gone(taker);
});
test('an owner whose lock was taken over by mistake stops, and leaves the new one alone', async () => {
    const directory = join(top, 'mistake');
    const db = open(directory, { durability: 'process' });
    db.put('a', '1');
    forge(directory, { pid: process.ppid, start: null }, 'lock.after.00');
    renameSync(join(directory, 'lock.after.00'), join(directory, 'lock'));
    await expect(db.checkpoint()).rejects.toMatchObject({ code: 'XENON_MOVED' });
    expectCode(() => db.close(), 'XENON_MOVED');
    expect(readdirSync(directory)).toContain('lock');
    expectCode(() => open(directory), 'XENON_LOCKED');
});
//# sourceMappingURL=lock-dead-owner.test.js.map