"""What pytorch_baseline.py shares with `ladder train`: which windows a step reads, their hash, the learning rate.

Only the standard library in here, so that test_pytorch_baseline.py runs everywhere. Philox and window_starts also take
numpy's uint64 arrays in place of whole numbers and then compute element by element.
"""
import math

TRAINING, HELD_OUT = 0, 1  # what windows are drawn for
SCHEDULES = ["linear", "cosine", "constant"]
LOW_32, LOW_64 = (1 << 32) - 1, (1 << 64) - 1
FACTORS, KEY_STEPS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)  # of Philox4x32, by its authors
HASH_START, HASH_PRIME = 0xCBF29CE484222325, 0x100000001B3  # of FNV-1a with 64 bits
PRIME_TO_7TH = pow(HASH_PRIME, 7, 1 << 64)


def philox4x32(counter, key):
    """Philox4x32-10: four random words of 32 bits from a counter of four and a key of two."""
    a, b, c, d = counter
    for turn in range(10):
        key_0, key_1 = ((word + turn * step) & LOW_32 for word, step in zip(key, KEY_STEPS))
        left, right = FACTORS[0] * a, FACTORS[1] * c
        a, b, c, d = (right >> 32) ^ b ^ key_0, right & LOW_32, (left >> 32) ^ d ^ key_1, left & LOW_32
    return a, b, c, d


def window_starts(tokens, block, seed, purpose, step, index):
    """Where in a stream of so many tokens the window begins: block + 1 of them are read from there."""
    words = philox4x32((step & LOW_32, step >> 32, index, purpose), (seed & LOW_32, seed >> 32))
    return (words[1] << 32 | words[0]) % (tokens - block)


def token_hash(windows):
    """FNV-1a of windows of block + 1 tokens each, of at most 16 bits: of each the block, its tokens, its targets.

    Every number counts as eight bytes. Of the six bytes of 0 each only multiplies, which PRIME_TO_7TH does at once.
    """
    value = HASH_START
    for window in windows:
        for number in [len(window) - 1, *window[:-1], *window[1:]]:
            value = (value ^ number & 0xFF) * HASH_PRIME & LOW_64
            value = (value ^ number >> 8) * PRIME_TO_7TH & LOW_64
    return f"{value:016x}"


def learning_rate(step, schedule, peak, floor, warmup, length):
    """Of a step, from 0. `length`: the step from which on the rate stays at the floor."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return peak
    done = min(1.0, (step - warmup) / (length - warmup)) if length > warmup else 1.0
    left = 1.0 - done if schedule == "linear" else (1.0 + math.cos(math.pi * done)) / 2.0
    return floor + left * (peak - floor)
