import { percentile } from './statistics.js';
export class Latencies {
    constructor() {
        this.count = 0;
        this.#milliseconds = new Float64Array(16_384);
    }
    #milliseconds;
    add(milliseconds) {
        if (this.count === this.#milliseconds.length) {
            const longer = new Float64Array(this.count * 2);
            longer.set(this.#milliseconds);
            this.#milliseconds = longer;
        }
        this.#milliseconds[this.count] = milliseconds;
        this.count += 1;
    }
    reset() {
        this.count = 0;
    }
    percentiles() {
        const sorted = this.#milliseconds.slice(0, this.count).sort();
        const at = (share) => percentile(sorted, share) * 1000;
        return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
    }
}
//# sourceMappingURL=latencies.js.map