#!/usr/bin/env python3
"""The interpreter baseline: the scalar GPT in plain Python, no dependencies.

Bottom row of the speedup table and oracle of stage 0, which must give the same doubles, bit for bit. So every sum
starts from 0 and goes left to right, a division is a product with a power of -1, and gradients flow in the order of
a depth-first search. CPython 3.12 compensates sum() over floats, hence sum() is only used on Values, where it is a
plain loop of additions in every version.
"""
import argparse
import json
import math
import platform
import random
import time


class Value:
    """A number that remembers which Values it came from and the local derivative for each of them."""
    __slots__ = ("data", "grad", "children", "local_grads")

    def __init__(self, data, children=(), local_grads=()):
        self.data, self.grad, self.children, self.local_grads = data, 0, children, local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent):
        return Value(self.data ** exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self):
        result = math.exp(self.data)
        return Value(result, (self,), (result,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __truediv__(self, other):
        return self * other ** -1

    def backward(self):
        """Fills in .grad: children before parents by depth-first search (explicit stack), then from the end back."""
        order, seen, stack = [], {self}, [(self, iter(self.children))]
        while stack:
            node, rest = stack[-1]
            for child in rest:
                if child not in seen:
                    seen.add(child)
                    stack.append((child, iter(child.children)))
                    break
            else:
                order.append(node)
                stack.pop()
        self.grad = 1
        for node in reversed(order):
            for child, local_grad in zip(node.children, node.local_grads):
                child.grad += local_grad * node.grad


def dot(a, b):
    return sum(ai * bi for ai, bi in zip(a, b))


def linear(x, w):
    return [dot(row, x) for row in w]


def rmsnorm(x):
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def softmax(logits):
    largest = max(logit.data for logit in logits)
    exps = [(logit - largest).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def attention(q, keys, values, n_head):
    size = len(q) // n_head
    out = []
    for head in (slice(h * size, (h + 1) * size) for h in range(n_head)):
        weights = softmax([dot(q[head], k[head]) / size ** 0.5 for k in keys])
        out += [dot(weights, column) for column in zip(*(v[head] for v in values))]
    return out


def gpt(p, cfg, token, position, keys, values):
    """Logits for the token at this position; the keys and values of earlier positions are in the two lists."""
    x = rmsnorm([t + s for t, s in zip(p["wte"][token], p["wpe"][position])])
    for i in range(cfg.n_layer):
        residual, x = x, rmsnorm(x)
        q, k, v = (linear(x, p[f"layer{i}.attn_{name}"]) for name in ("wq", "wk", "wv"))
        keys[i].append(k)
        values[i].append(v)
        x = linear(attention(q, keys[i], values[i], cfg.n_head), p[f"layer{i}.attn_wo"])
        x = [a + b for a, b in zip(x, residual)]
        residual, x = x, [h.relu() for h in linear(rmsnorm(x), p[f"layer{i}.mlp_fc1"])]
        x = [a + b for a, b in zip(linear(x, p[f"layer{i}.mlp_fc2"]), residual)]
    return linear(x, p["lm_head"])


def init_parameters(cfg, vocab):
    c = cfg.n_embd
    shapes = {"wte": (vocab, c), "wpe": (cfg.block_size, c), "lm_head": (vocab, c)}
    for i in range(cfg.n_layer):
        shapes |= {f"layer{i}.attn_{name}": (c, c) for name in ("wq", "wk", "wv", "wo")}
        shapes |= {f"layer{i}.mlp_fc1": (4 * c, c), f"layer{i}.mlp_fc2": (c, 4 * c)}
    return {name: [[Value(random.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]
            for name, (n_out, n_in) in shapes.items()}


def train(cfg, p, docs, chars):
    """Adam with a linearly falling rate, one document a step; returns the losses and the milliseconds per step."""
    params = [value for matrix in p.values() for row in matrix for value in row]
    m, v = [0.0] * len(params), [0.0] * len(params)
    ids, bos = {ch: i for i, ch in enumerate(chars)}, len(chars)
    losses, ms = [], []
    for step in range(cfg.steps):
        start = time.perf_counter()
        tokens = [bos] + [ids[ch] for ch in docs[step % len(docs)]] + [bos]
        n = min(cfg.block_size, len(tokens) - 1)
        keys, values = [[] for _ in range(cfg.n_layer)], [[] for _ in range(cfg.n_layer)]
        terms = []
        for position in range(n):
            probs = softmax(gpt(p, cfg, tokens[position], position, keys, values))
            terms.append(-probs[tokens[position + 1]].log())
        loss = (1 / n) * sum(terms)
        loss.backward()
        rate = cfg.lr * max(0, 1 - step / cfg.schedule_steps)
        for i, value in enumerate(params):
            m[i] = cfg.beta1 * m[i] + (1 - cfg.beta1) * value.grad
            v[i] = cfg.beta2 * v[i] + (1 - cfg.beta2) * value.grad ** 2
            m_hat = m[i] / (1 - cfg.beta1 ** (step + 1))
            v_hat = v[i] / (1 - cfg.beta2 ** (step + 1))
            value.data -= rate * m_hat / (v_hat ** 0.5 + cfg.eps)
            value.grad = 0
        losses.append(loss.data)
        ms.append((time.perf_counter() - start) * 1000)
        print(f"step {step + 1:4d} / {cfg.steps:4d} | loss {loss.data!r}", flush=True)
    return losses, ms


def sample(cfg, p, chars):
    """One text from the model: starts at BOS, ends at BOS or when the block is full."""
    keys, values = [[] for _ in range(cfg.n_layer)], [[] for _ in range(cfg.n_layer)]
    token, text = len(chars), ""
    for position in range(cfg.block_size):
        logits = gpt(p, cfg, token, position, keys, values)
        probs = softmax([logit / cfg.temperature for logit in logits])
        token = random.choices(range(len(chars) + 1), weights=[prob.data for prob in probs])[0]
        if token == len(chars):
            break
        text += chars[token]
    return text


def main():
    parser = argparse.ArgumentParser(description="A GPT in scalar Python: trains on the lines of a text file, then samples.")
    parser.add_argument("--data", required=True, help="text file, one document a line")
    for flag, default in (("seed", 42), ("n-layer", 1), ("n-embd", 16), ("n-head", 4), ("block-size", 16),
                          ("steps", 1000), ("samples", 20)):
        parser.add_argument("--" + flag, type=int, default=default)
    for flag, default in (("lr", 0.01), ("beta1", 0.85), ("beta2", 0.99), ("eps", 1e-8), ("temperature", 0.5)):
        parser.add_argument("--" + flag, type=float, default=default)
    parser.add_argument("--schedule-steps", type=int, help="length of the learning rate's fall (default: --steps)")
    parser.add_argument("--trace", help="write losses, times and samples to this JSON file")
    cfg = parser.parse_args()
    if cfg.n_head < 1 or cfg.n_embd % cfg.n_head:
        parser.error(f"--n-embd {cfg.n_embd} is not a multiple of --n-head {cfg.n_head}")
    cfg.schedule_steps = cfg.schedule_steps or cfg.steps

    with open(cfg.data, encoding="utf-8") as file:
        docs = [line.strip() for line in file.read().strip().split("\n") if line.strip()]
    random.seed(cfg.seed)
    random.shuffle(docs)
    chars = sorted(set("".join(docs)))
    p = init_parameters(cfg, len(chars) + 1)
    count = sum(len(row) for matrix in p.values() for row in matrix)
    print(f"num docs: {len(docs)}\nvocab size: {len(chars) + 1}\nnum params: {count}")
    losses, ms = train(cfg, p, docs, chars)
    samples = []
    for i in range(cfg.samples):
        samples.append(sample(cfg, p, chars))
        print(f"sample {i + 1:2d}: {samples[-1]}")
    if cfg.trace:
        config = {key: value for key, value in vars(cfg).items() if key not in ("data", "trace")}
        machine = {"python": platform.python_version(), "implementation": platform.python_implementation()}
        with open(cfg.trace, "w", encoding="utf-8") as file:
            json.dump({"format": "ladder-trace/1", "config": config, "machine": machine, "loss": losses, "ms": ms,
                       "samples": samples, "items": []}, file, indent=1)


if __name__ == "__main__":
    main()
