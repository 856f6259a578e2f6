import { KeyHash } from '../../src/hash/key-hash.js';
import { Metadata } from '../../src/pager/metadata.js';
import { memoryStorage } from '../../src/storage/memory.js';
export function hashOf(subject) {
    return hashIn(subject.image());
}
export function hashIn(image) {
    const head = image.get('data').slice(0, 4096);
    return new KeyHash(Metadata.decode(head, 'data', memoryStorage()).identity.hashKey);
}
export function keysApart(hash, count, prefix = 'k', others = []) {
    const rootOf = (key) => {
        const bytes = Buffer.from(key);
        hash.of(bytes, 0, bytes.length);
        return hash.root;
    };
    const taken = new Set(others.map(rootOf));
    const keys = [];
    for (let number = 0; keys.length < count; number++) {
        const root = rootOf(`${prefix}${number}`);
        if (taken.has(root))
            continue;
        taken.add(root);
        keys.push(`${prefix}${number}`);
    }
    return keys;
}
export function keysOfRoot(hash, root, count, random, length = () => 15) {
    const bytes = new Uint8Array(1024);
    const keys = new Set();
    let number = random.below(1e6);
    while (keys.size < count) {
        const size = length();
        let rest = number++;
        bytes.fill(0x78, 0, size);
        for (let i = size - 1; i >= Math.max(0, size - 10); i--) {
            bytes[i] = 0x30 + (rest % 10);
            rest = Math.floor(rest / 10);
        }
        hash.of(bytes, 0, size);
        if (hash.root === root)
            keys.add(Buffer.from(bytes.subarray(0, size)).toString('latin1'));
    }
    return [...keys];
}
export async function withBentHash(root, position, body) {
    const prototype = KeyHash.prototype;
    const { finish } = prototype;
    prototype.finish = function (a, b, c, d, m) {
        finish.call(this, a, b, c, d, m);
        this.bits = position(this.bits >>> 0) | 0;
        this.root = root;
    };
    try {
        await body();
    }
    finally {
        prototype.finish = finish;
    }
}
//# sourceMappingURL=keys.js.map