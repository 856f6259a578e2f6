import { absolute, fnv64 } from './hash.js';
export const THETA = 0.99;
const SCRAMBLED_RANKS = 10_000_000_000;
const SCRAMBLED_ZETA = 26.46902820178302;
export class Zipfian {
    #random;
    #half = 1 + 0.5 ** THETA;
    #ranks;
    #zeta;
    constructor(random, ranks, zeta = zetaOf(0, ranks, 0)) {
        this.#random = random;
        this.#ranks = ranks;
        this.#zeta = zeta;
    }
    grow(ranks) {
        this.#zeta = zetaOf(this.#ranks, ranks, this.#zeta);
        this.#ranks = ranks;
    }
    next() {
        const share = this.#random.next() / 2 ** 32;
        const scaled = share * this.#zeta;
        if (scaled < 1)
            return 0;
        if (scaled < this.#half)
            return 1;
        const eta = (1 - (2 / this.#ranks) ** (1 - THETA)) / (1 - this.#half / this.#zeta);
        const rank = Math.floor(this.#ranks * (eta * share - eta + 1) ** (1 / (1 - THETA)));
        return Math.min(rank, this.#ranks - 1);
    }
}
export function scrambledZipfian(random, records) {
    const zipfian = new Zipfian(random, SCRAMBLED_RANKS, SCRAMBLED_ZETA);
    return () => Number(absolute(fnv64(zipfian.next())) % BigInt(records));
}
function zetaOf(from, to, sum) {
    let zeta = sum;
    for (let rank = from + 1; rank <= to; rank += 1)
        zeta += 1 / rank ** THETA;
    return zeta;
}
//# sourceMappingURL=zipfian.js.map