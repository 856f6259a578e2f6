import { expect, test } from 'vitest';
import { Recency } from '../../src/buffer/recency.js';
const FRAMES = 16;
const anyone = () => true;
const filled = (isGuide = () => false) => {
    const recency = new Recency(FRAMES, isGuide);
    recency.coldest(1, FRAMES, anyone);
    for (let frame = 1; frame <= FRAMES; frame++)
        recency.use(frame);
    return recency;
};
test('the frames that were not used for the longest time come first', () => {
    const recency = filled();
    for (const frame of [1, 2, 5])
        recency.use(frame);
    expect(recency.coldest(4, FRAMES, anyone)).toEqual([3, 4, 6, 7]);
});
test('frames that may not leave are passed over', () => {
    const recency = filled();
    expect(recency.coldest(3, FRAMES, frame => frame % 2 === 0)).toEqual([2, 4, 6]);
    expect(recency.coldest(3, FRAMES, () => false)).toEqual([]);
});
test('a frame that takes another block is as new as one that was used', () => {
    const recency = filled();
    const [first] = recency.coldest(1, FRAMES, anyone);
    recency.use(first);
    expect(recency.coldest(FRAMES, FRAMES, anyone).at(-1)).toBe(first);
});
test('guides pass the cold end twice', () => {
    const recency = filled(frame => frame <= 4);
    const left = [];
    for (let round = 0; round < 3 * FRAMES && !left.includes(1); round++) {
        const [frame] = recency.coldest(1, FRAMES, anyone);
        left.push(frame);
        if (frame > 4)
            recency.use(frame);
    }
    expect(left.filter(frame => frame === 5)).toHaveLength(2);
    expect(left.filter(frame => frame === 16)).toHaveLength(2);
    expect(left.at(-1)).toBe(1);
});
test('where there are nothing but guides, some of them leave all the same', () => {
    const recency = filled(() => true);
    expect(recency.coldest(3, FRAMES, anyone)).toEqual([1, 2, 3]);
});
//# sourceMappingURL=recency.test.js.map