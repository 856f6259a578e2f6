import { percentile } from '../support/statistics.js';
export class LoopDelay {
    #delays = new Float64Array(65_536);
    #count = 0;
    #timer;
    #last = 0;
    start() {
        this.#count = 0;
        this.#last = performance.now();
        this.#timer = setInterval(() => this.#tick(), 1);
    }
    stop() {
        this.#tick();
        clearInterval(this.#timer);
        const sorted = this.#delays.slice(0, this.#count).sort();
        const at = (share) => percentile(sorted, share);
        return {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: sorted[sorted.length - 1] ?? 0,
            samples: sorted.length,
        };
    }
    #tick() {
        const now = performance.now();
        const late = Math.max(0, now - this.#last - 1);
        this.#last = now;
        for (let delay = late; delay >= 0; delay -= 1)
            this.#add(delay);
    }
    #add(delay) {
        if (this.#count === this.#delays.length) {
            const longer = new Float64Array(2 * this.#count);
            longer.set(this.#delays);
            this.#delays = longer;
        }
        this.#delays[this.#count++] = delay;
    }
}
//# sourceMappingURL=loop-delay.js.map