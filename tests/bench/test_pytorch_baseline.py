"""training_recipe.py against Philox's published answers and the ladder's hashes. Needs neither PyTorch nor numpy."""
import math
import unittest

import training_recipe as recipe
from training_recipe import HELD_OUT, TRAINING

FULL = recipe.LOW_32


def tokens_of(count, kinds):
    """Made-up tokens, by a generator that is easy to write down."""
    state, tokens = 1, []
    for _ in range(count):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        tokens.append((state >> 8) % kinds)
    return tokens


def hash_of(tokens, block, windows, seed):
    starts = [recipe.window_starts(len(tokens), block, seed, TRAINING, 0, index) for index in range(windows)]
    return recipe.token_hash([tokens[start:start + block + 1] for start in starts])


def rates(steps, schedule, peak=1e-3, floor=1e-4, warmup=100, length=5000):
    return [recipe.learning_rate(step, schedule, peak, floor, warmup, length) for step in steps]


class Philox(unittest.TestCase):
    def test_the_known_answers_of_its_authors(self):
        self.assertEqual(recipe.philox4x32((0, 0, 0, 0), (0, 0)), (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8))
        self.assertEqual(recipe.philox4x32((FULL,) * 4, (FULL,) * 2), (0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd))
        self.assertEqual(recipe.philox4x32((0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), (0xa4093822, 0x299f31d0)),
                         (0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1))

    def test_arrays_of_numpy_give_the_same_starts(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("no numpy")
        for seed, step in [(42, 0), (FULL, (1 << 32) + 5)]:
            indices = numpy.arange(1000, dtype=numpy.uint64)
            many = recipe.window_starts(1003854, 256, seed, HELD_OUT, step, indices)
            one_by_one = [recipe.window_starts(1003854, 256, seed, HELD_OUT, step, index) for index in range(1000)]
            self.assertEqual((many.dtype, many.tolist()), (numpy.uint64, one_by_one))


class Windows(unittest.TestCase):
    """The hashes are those that `ladder train --data FOLDER --steps 0` printed for the tokens as FOLDER's train.bin."""

    def test_the_ladder_has_the_same_hash_of_characters(self):
        tokens = tokens_of(2700, 29)
        self.assertEqual(hash_of(tokens, 32, 8, 42), "d000458044d8e6a2")  # --preset tiny
        # --batch-size 3 --grad-accum 2 --block-size 17 --seed 4294967295
        self.assertEqual(hash_of(tokens, 17, 6, FULL), "b0b319a856df011d")

    def test_the_ladder_has_the_same_hash_of_tokens_of_16_bits(self):
        self.assertEqual(hash_of(tokens_of(5000, 50257), 32, 8, 42), "0921f67f4feb8f81")

    def test_everything_that_a_window_depends_on(self):
        def start(seed=42, purpose=TRAINING, step=3, index=1):
            return recipe.window_starts(1000, 4, seed, purpose, step, index)
        self.assertEqual(start(), start())
        others = [start(seed=43), start(purpose=HELD_OUT), start(step=4), start(index=2), start(step=3 + (1 << 32)),
                  start(seed=42 + (1 << 32))]
        self.assertNotIn(start(), others)

    def test_held_out_windows_stay(self):
        # With these, a model that the ladder trained had the held-out loss that it printed.
        starts = [recipe.window_starts(300, 32, 42, HELD_OUT, 0, index) for index in range(8)]
        self.assertEqual(starts, [160, 59, 177, 178, 31, 71, 59, 33])

    def test_every_window_of_a_short_stream_and_none_beyond(self):
        starts = {recipe.window_starts(7, 4, 1, TRAINING, 0, index) for index in range(200)}
        self.assertEqual(starts, {0, 1, 2})


class LearningRate(unittest.TestCase):
    def test_warm_up_is_the_same_for_all(self):
        for schedule in recipe.SCHEDULES:
            first, middle, last = rates([0, 49, 99], schedule)
            self.assertAlmostEqual(first, 1e-3 / 101, places=15)
            self.assertAlmostEqual(middle, 1e-3 * 50 / 101, places=15)
            self.assertAlmostEqual(last, 1e-3 * 100 / 101, places=15)
            self.assertEqual(rates([100], schedule), [1e-3])  # the peak, once the rise is over

    def test_linear(self):
        half, end, beyond = rates([2550, 5000, 9000], "linear")
        self.assertAlmostEqual(half, 5.5e-4, places=15)
        self.assertEqual((end, beyond), (1e-4, 1e-4))

    def test_linear_to_0_is_what_the_ladder_always_had(self):
        for step in range(50):
            self.assertAlmostEqual(rates([step], "linear", 0.01, 0.0, 0, 50)[0], 0.01 * (1 - step / 50), places=16)

    def test_cosine(self):
        quarter, half, end, beyond = rates([1325, 2550, 5000, 9000], "cosine")
        self.assertAlmostEqual(quarter, 1e-4 + (1 + math.sqrt(0.5)) / 2 * 9e-4, places=15)
        self.assertAlmostEqual(half, 5.5e-4, places=15)
        self.assertEqual((end, beyond), (1e-4, 1e-4))

    def test_constant(self):
        self.assertEqual(rates([100, 2550, 9000], "constant"), [1e-3] * 3)

    def test_a_schedule_that_ends_in_the_warm_up_goes_to_the_floor(self):
        self.assertEqual(rates([100, 101], "cosine", length=100), [1e-4] * 2)


if __name__ == "__main__":
    unittest.main()
