import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { count, short } from '../support/format.js';
import { MemoryLimit } from '../support/memory-limit.js';
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.js';
import { JobSkipped, runJob } from './child.js';
export async function runRepeats(settings, repeats) {
    const all = { samples: [], failures: [] };
    for (let repeat = 0; repeat < repeats; repeat += 1) {
        const { samples, failures } = await runRepeat(settings, repeat, `repeat ${repeat + 1} of ${repeats}`);
        all.samples.push(...samples);
        all.failures.push(...failures);
    }
    return all;
}
export async function runRepeat(settings, repeat, label) {
    const root = makeTemporaryDirectory();
    const session = new Session(settings, repeat, label, root);
    try {
        for (const step of settings.steps) {
            if (step.once && repeat > 0)
                continue;
            for (const store of turned(settings.stores, repeat))
                await session.run(step, store);
        }
    }
    finally {
        session.end();
        removeTemporaryDirectory(root);
    }
    return session.collected;
}
class Session {
    #settings;
    #repeat;
    #label;
    #root;
    #ready;
    #limits;
    #directories;
    constructor(settings, repeat, label, root) {
        this.collected = { samples: [], failures: [] };
        this.#ready = new Set();
        this.#limits = new Map();
        this.#directories = 0;
        this.#settings = settings;
        this.#repeat = repeat;
        this.#label = label;
        this.#root = root;
    }
    async run(step, store) {
        if (step.stores !== undefined && !step.stores.includes(store))
            return;
        if (step.database === 'main' && !this.#ready.has(store))
            return;
        for (let time = 0; time < (step.times ?? 1); time += 1)
            await this.#measure(step, store, time);
    }
    end() {
        for (const limit of this.#limits.values())
            limit.remove();
    }
    #limitOf(step, store) {
        const { memoryBytes } = this.#settings;
        if (memoryBytes === undefined)
            return undefined;
        const limit = this.#limits.get(store) ?? new MemoryLimit(store);
        this.#limits.set(store, limit);
        if (step.database !== 'made')
            limit.limitTo(memoryBytes);
        return limit;
    }
    async #measure(step, store, time) {
        const { records } = this.#settings;
        const job = this.#job(step, store, time);
        try {
            const metrics = await runJob(job, this.#limitOf(step, store));
            this.collected.samples.push({ records, step: step.name, store, metrics });
            if (step.database === 'made')
                this.#ready.add(store);
            this.#say(step, store, summary(metrics));
        }
        catch (error) {
            const message = error instanceof Error ? error.message : String(error);
            const skipped = error instanceof JobSkipped;
            this.collected.failures.push({ records, step: step.name, store, error: message, skipped });
            this.#say(step, store, `${skipped ? 'SKIPPED' : 'FAILED'}: ${message}`);
        }
        finally {
            removeTemporaryDirectory(job.scratch);
            if (step.database === 'own')
                removeTemporaryDirectory(job.directory);
        }
    }
    #job(step, store, time) {
        const { records, seconds, memoryBytes } = this.#settings;
        const directory = step.database === 'own' ? this.#newDirectory('own') : join(this.#root, store);
        mkdirSync(directory, { recursive: true });
        const scratch = this.#newDirectory('scratch');
        const { workload, durability, inFlight } = step;
        const seed = 7919 * (this.#repeat + 1) + 104_729 * (time + 1);
        return {
            store,
            workload,
            records,
            directory,
            scratch,
            durability,
            inFlight,
            seconds,
            memoryBytes: step.database === 'made' ? undefined : memoryBytes,
            seed,
        };
    }
    #newDirectory(kind) {
        this.#directories += 1;
        const directory = join(this.#root, `${kind}-${this.#directories}`);
        mkdirSync(directory);
        return directory;
    }
    #say(step, store, result) {
        const size = count(this.#settings.records);
        console.error(`${size} records, ${this.#label}: ${step.name.padEnd(15)} ${store.padEnd(12)} ${result}`);
    }
}
function turned(list, by) {
    return list.map((_, index) => list[(index + by) % list.length]);
}
function summary(metrics) {
    return Object.entries(metrics)
        .map(([name, value]) => `${name} ${short(value)}`)
        .join(', ');
}
//# sourceMappingURL=session.js.map