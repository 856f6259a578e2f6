import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './options.js';
const ROOT = '/sys/fs/cgroup';
const created = new Set();
let watching = false;
export class MemoryLimit {
    #directory;
    #isUnified;
    constructor(name) {
        const isUnified = existsSync(join(ROOT, 'cgroup.controllers'));
        this.#isUnified = isUnified;
        this.#directory = join(isUnified ? ROOT : firstVersion(), `xenon-bench-${process.pid}-${name}`);
        this.processes = join(this.#directory, 'cgroup.procs');
        try {
            if (isUnified)
                offerMemory();
            mkdirSync(this.#directory);
            created.add(this);
            removeAtExit();
            writeFileSync(this.#limitFile, readFileSync(this.#limitFile));
        }
        catch (error) {
            throw new UsageError(`a memory limit needs root and a control group for memory below ${ROOT}: ${error.message}`);
        }
    }
    limitTo(bytes) {
        patiently(() => writeFileSync(this.#limitFile, String(bytes)));
        this.#refuseSwap(bytes);
    }
    remove() {
        created.delete(this);
        patiently(() => rmdirSync(this.#directory));
    }
    #refuseSwap(bytes) {
        const [name, value] = this.#isUnified ? ['memory.swap.max', 0] : ['memory.memsw.limit_in_bytes', bytes];
        if (existsSync(this.#file(name)))
            writeFileSync(this.#file(name), String(value));
    }
    get #limitFile() {
        return this.#file(this.#isUnified ? 'memory.max' : 'memory.limit_in_bytes');
    }
    #file(name) {
        return join(this.#directory, name);
    }
}
function patiently(work) {
    for (let tries = 50;; tries -= 1) {
        try {
            work();
            return;
        }
        catch (error) {
            if (tries === 0)
                throw error;
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
        }
    }
}
function removeAtExit() {
    if (watching)
        return;
    watching = true;
    process.on('exit', () => {
        for (const limit of created)
            limit.remove();
    });
}
function firstVersion() {
    const mount = join(ROOT, 'memory');
    const line = readFileSync('/proc/self/cgroup', 'utf8').match(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m);
    const own = join(mount, line?.[1] ?? '');
    return existsSync(own) ? own : mount;
}
function offerMemory() {
    const offered = join(ROOT, 'cgroup.subtree_control');
    if (!readFileSync(offered, 'utf8').split(/\s+/).includes('memory'))
        writeFileSync(offered, '+memory');
}
//# sourceMappingURL=memory-limit.js.map