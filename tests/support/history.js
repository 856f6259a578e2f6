import { firstDifference, sameValue } from './model.js';
export class History {
    #base;
    #commits;
    #certain;
    constructor(base = new Map()) {
        this.#commits = [];
        this.#certain = 0;
        this.epoch = 0;
        this.#base = new Map(base);
    }
    commit(changes) {
        return this.#commits.push(changes);
    }
    certain(number = this.#commits.length) {
        this.#certain = Math.max(this.#certain, number);
    }
    settle(records) {
        this.#base = new Map(records);
        this.#commits = [];
        this.#certain = 0;
        this.epoch++;
    }
    expectRecovered(recovered) {
        const state = new Map(this.#base);
        const different = new Set();
        const weigh = (key) => {
            if (state.has(key) === recovered.has(key) && sameValue(state.get(key), recovered.get(key))) {
                different.delete(key);
            }
            else {
                different.add(key);
            }
        };
        for (const key of new Set([...state.keys(), ...recovered.keys()]))
            weigh(key);
        let atCertain;
        for (let number = 0; number <= this.#commits.length; number++) {
            for (const [key, value] of number === 0 ? [] : this.#commits[number - 1]) {
                if (value === undefined)
                    state.delete(key);
                else
                    state.set(key, value);
                weigh(key);
            }
            if (number < this.#certain)
                continue;
            if (different.size === 0)
                return number;
            atCertain ??= `${different.size} records differ, ${firstDifference(recovered, state)}`;
        }
        throw new Error(`recovered is none of the states after commits ${this.#certain} to ${this.#commits.length}; ` +
            `against the first of these: ${atCertain}`);
    }
}
//# sourceMappingURL=history.js.map