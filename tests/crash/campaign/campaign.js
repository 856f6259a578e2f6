import { IMAGES_MAGIC } from '../../../src/buffer/image-format.js';
import { crashPolicies, FaultDisk } from '../../../src/testing/fault.js';
import { Random } from '../../../src/testing/random.js';
import { crc32 } from './checksum.js';
import { recover, requireContinuation, requireCopies, requireNewCommit } from './examine.js';
import { expected, FIRST_TIME, statesAt, timeAt } from './session.js';
export const policies = ['kill', ...crashPolicies];
const TRIES = {
    kill: 1,
    none: 1,
    all: 1,
    last: 1,
    prefix: 3,
    sectors: 3,
    holes: 2,
    garbage: 2,
};
const NESTED = 0.3;
const DEEPEST = 4;
const CONTINUED = 0.3;
export class Tally {
    constructor() {
        this.points = 0;
        this.images = 0;
        this.nested = 0;
        this.again = 0;
        this.checkpoints = 0;
        this.endedAside = 0;
        this.seconds = 0;
        this.byPolicy = {};
    }
    count(policy) {
        this.images++;
        this.byPolicy[policy] = (this.byPolicy[policy] ?? 0) + 1;
    }
    add(other) {
        this.points += other.points;
        this.images += other.images;
        this.nested += other.nested;
        this.again += other.again;
        this.checkpoints += other.checkpoints;
        this.endedAside += other.endedAside;
        this.seconds += other.seconds;
        for (const [policy, images] of Object.entries(other.byPolicy))
            this.byPolicy[policy] = (this.byPolicy[policy] ?? 0) + images;
    }
}
export class CrashFailure extends Error {
    constructor(index, policy, cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        super(`crash before operation ${index}, policy ${policy}: ${reason}`, { cause });
        this.name = 'CrashFailure';
        this.index = index;
        this.policy = policy;
    }
}
export const crashEverywhere = async (recording, seed, tally, { index: onlyIndex, policy: onlyPolicy, stride = 1 } = {}) => {
    const { journal } = recording;
    tally.checkpoints += recording.checkpoints;
    tally.endedAside += recording.endedAside;
    const points = onlyIndex === undefined ? crashPoints(recording, seed, stride) : new Set([onlyIndex]);
    let now = FIRST_TIME;
    const disk = new FaultDisk({ seed, crc32, now: () => now });
    for (let index = 0; index <= journal.length; index++) {
        if (points.has(index)) {
            tally.points++;
            now = timeAt(recording, index);
            await crashAt(disk, { ...recording, states: statesAt(recording, index) }, index, seed, tally, onlyPolicy);
        }
        if (index < journal.length)
            disk.apply(journal[index]);
    }
};
const crashPoints = ({ journal, from, points, nearImages }, seed, stride) => {
    const random = new Random(seed ^ 0x2545f491);
    const count = journal.length + 1 - from;
    const wanted = Math.ceil(points / stride);
    if (count / stride <= wanted)
        return new Set(Array.from({ length: Math.ceil(count / stride) }, (_, i) => from + i * stride));
    const aside = [];
    journal.forEach((operation, at) => {
        if (at < from)
            return;
        if (nearImages) {
            if (isImages(operation))
                aside.push([at + 2, at + 2]);
            return;
        }
        if (operation.kind === 'sync' && operation.before !== undefined)
            aside.push([Math.max(from, operation.before + 1), at]);
        if (isHeader(operation))
            aside.push([at, at + 6]);
    });
    const chosen = new Set();
    for (const [begin, end] of random.shuffle(aside).slice(0, wanted >> 1)) {
        const at = random.chance(0.5) ? random.between(begin, end) : end + random.between(1, 4);
        chosen.add(Math.min(journal.length, at));
    }
    const spread = wanted - chosen.size;
    for (let i = 0; i < spread; i++)
        chosen.add(from + Math.floor(((i + random.below(1000) / 1000) * count) / spread));
    return chosen;
};
const isHeader = (operation) => operation.kind === 'write' && operation.bytes.length === 512 && operation.position <= 1024;
const isImages = (operation) => operation.kind === 'write' && IMAGES_MAGIC.every((byte, at) => operation.bytes[at] === byte);
const crashAt = async (disk, recording, index, seed, tally, onlyPolicy) => {
    const seen = new Set();
    for (const policy of disk.settled ? ['none'] : policies) {
        if (onlyPolicy !== undefined && policy !== onlyPolicy)
            continue;
        for (let attempt = 0; attempt < TRIES[policy]; attempt++) {
            const random = new Random(seed ^ Math.imul(index + 1, 0x9e3779b1) ^ (policies.indexOf(policy) << 8) ^ attempt);
            try {
                if (policy === 'kill')
                    await killImage(disk, recording, index, random, tally);
                else {
                    const image = disk.crash(policy, random);
                    if (seen.has(image.signature))
                        continue;
                    seen.add(image.signature);
                    tally.count(policy);
                    await powerImage(image, { ...recording, ...expected(recording, index, true) }, random, tally);
                    await requireCopies(image, recording, index);
                }
            }
            catch (error) {
                throw new CrashFailure(index, policy, error);
            }
        }
    }
};
const powerImage = async (image, expectation, random, tally) => {
    const before = random.chance(NESTED) ? image.kill(random) : undefined;
    const { commit, operations } = await recover(image, expectation);
    const { states, options } = expectation;
    if (random.chance(CONTINUED))
        await requireContinuation(image, states[commit], options, random);
    if (before !== undefined)
        await crashRecovery(before, operations, { ...expectation, low: commit, high: commit }, random, tally);
};
const crashRecovery = async (disk, operations, expectation, random, tally) => {
    let before = disk;
    let changes = operations;
    for (let depth = 1; changes.length > 0; depth++) {
        for (const operation of changes.slice(0, random.below(changes.length)))
            before.apply(operation);
        const policy = random.pick(policies);
        tally.count(policy);
        tally.nested++;
        if (depth > 1)
            tally.again++;
        const image = policy === 'kill' ? before.kill(random) : before.crash(policy, random);
        before = image.kill(random);
        try {
            changes = (await recover(image, expectation)).operations;
        }
        catch (error) {
            const where = `crash in the recovery${' of a recovery'.repeat(depth - 1)}`;
            throw new Error(`${where} (${policy}): ${error.message}`, { cause: error });
        }
        if (depth === DEEPEST || random.chance(0.5))
            return;
    }
};
const killImage = async (disk, recording, index, random, tally) => {
    const image = disk.kill(random);
    const before = disk.kill(random);
    tally.count('kill');
    const { db, commit, operations } = await recover(image, {
        ...recording,
        ...expected(recording, index, false),
    });
    const done = random.below(operations.length + 1);
    for (const operation of operations.slice(0, done))
        before.apply(operation);
    const policy = random.pick(crashPolicies);
    tally.count(policy);
    tally.nested++;
    const bounds = expected(recording, index, true);
    const low = done === operations.length ? commit : bounds.low;
    const left = before.crash(policy, random);
    const again = random.chance(NESTED) ? left.kill(random) : undefined;
    const expectation = { ...recording, low, high: Math.max(commit, bounds.low) };
    try {
        const next = await recover(left, expectation);
        const same = { ...expectation, low: next.commit, high: next.commit };
        if (again !== undefined)
            await crashRecovery(again, next.operations, same, random, tally);
    }
    catch (error) {
        const when = done === operations.length ? 'after the recovery' : 'in the recovery';
        throw new Error(`loss of power ${when} from a kill (${policy}): ${error.message}`, {
            cause: error,
        });
    }
    await requireNewCommit(image, db, recording.states[commit], recording.options, random);
};
//# sourceMappingURL=campaign.js.map