export class Random {
    #state;
    constructor(seed) {
        this.#state = seed >>> 0 || 1;
    }
    next() {
        let state = this.#state;
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        this.#state = state;
        return state >>> 0;
    }
    below(bound) {
        return Math.floor((this.next() / 0x1_0000_0000) * bound);
    }
}
export function scramble(number) {
    let hash = number ^ (number >>> 16);
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
}
//# sourceMappingURL=random.js.map