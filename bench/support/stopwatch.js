export class Stopwatch {
    constructor() {
        this.seconds = 0;
        this.sections = [];
    }
    async measure(work) {
        const started = process.hrtime.bigint();
        const pending = work();
        const result = pending instanceof Promise ? await pending : pending;
        const seconds = Number(process.hrtime.bigint() - started) / 1e9;
        this.seconds += seconds;
        this.sections.push(seconds);
        return result;
    }
    reset() {
        this.seconds = 0;
        this.sections = [];
    }
}
//# sourceMappingURL=stopwatch.js.map