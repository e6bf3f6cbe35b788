#!/usr/bin/env python3
"""Makes the goldens of GPT-2's weights with PyTorch: run it only when what is compared changes.

usage: python3 tests/golden/gpt2/make_gpt2_golden.py [FOLDER]     (default: this script's folder)

Needs torch, transformers and safetensors. Two models with random weights, small and with nothing left at 0 or 1, so
that a weight which is not read, or read the wrong way round, shows:

  hf/       2 layers, GELU by tanh, biases; written as transformers does (Conv1D layout, "transformer." in front)
  nanogpt/  1 layer, GELU by erf, no biases; the same kind of model under nanoGPT's names, [out, in]

Beside each model's weights and config.json:

  golden.safetensors     "logits_fp64", "logits_fp32" [N, V] of the tokens, "loss" (mean cross-entropy of each token's
                         successor, the last one's being "last_target")
  gradients.safetensors  of that loss in fp64, under the names and in the layout of the weights
  golden.json            the tokens; the prompt, and the greedy continuation that passes the end of the block
"""
import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file

HF = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 16, "vocab_size": 29, "activation_function": "gelu_new"}
NANOGPT = {"n_layer": 1, "n_head": 2, "n_embd": 12, "n_positions": 16, "vocab_size": 29, "activation_function": "gelu"}
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
MASKS = (".attn.bias", ".attn.masked_bias")


def random_model(sizes, seed, bias):
    """Weights in fp32, none of them where a fresh model has it; without biases these are 0."""
    config = transformers.GPT2Config(**sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
                                     bos_token_id=None, eos_token_id=None, attn_implementation="eager")
    model = transformers.GPT2LMHeadModel(config).eval()
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=draws)
            if name.endswith(".bias"):
                value.copy_(0.2 * noise if bias else torch.zeros_like(noise))
            elif ".ln_" in name:
                value.copy_(1.0 + 0.3 * noise)
            else:
                value.copy_(0.4 * noise)
    return model


def greedy(model, prompt, count, block):
    """As nanoGPT generates: the model sees the last `block` tokens."""
    tokens = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            logits = model(torch.tensor([tokens[-block:]])).logits[0, -1]
            tokens.append(int(logits.argmax()))
    return tokens


def weights_of(model, value_of):
    """Name -> tensor, without the head, which is the embedding, and without masks."""
    return {name: value_of(parameter).contiguous() for name, parameter in model.named_parameters()
            if not name.startswith("lm_head.") and not name.endswith(MASKS)}


def as_nanogpt(tensors):
    return {name: (value.t().contiguous() if name.endswith(CONV1D) else value) for name, value in tensors.items()
            if not name.endswith(".bias")}


def write(folder, model, sizes, tokens, last_target, rename, config):
    os.makedirs(folder, exist_ok=True)
    with torch.no_grad():
        logits_fp32 = model(torch.tensor([tokens])).logits[0]
    # clones: double() below changes the model in place
    save_file(rename(weights_of(model, lambda p: p.detach().clone())), os.path.join(folder, "model.safetensors"),
              metadata={"format": "pt"})
    model.double()
    logits = model(torch.tensor([tokens])).logits[0]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(tokens[1:] + [last_target]))
    loss.backward()
    save_file({"logits_fp64": logits.detach(), "logits_fp32": logits_fp32, "loss": loss.detach().reshape(1)},
              os.path.join(folder, "golden.safetensors"))
    save_file(rename(weights_of(model, lambda p: p.grad.clone())), os.path.join(folder, "gradients.safetensors"))
    prompt = tokens[:5]
    golden = {"torch": torch.__version__, "transformers": transformers.__version__, "tokens": tokens,
              "last_target": last_target, "prompt": prompt,
              "greedy": greedy(model, prompt, 2 * sizes["n_positions"], sizes["n_positions"])}
    for name, content in (("golden.json", golden), ("config.json", config)):
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file, sort_keys=True)
            file.write("\n")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    tokens = [3, 28, 0, 11, 11, 7, 19, 2, 25, 14, 6, 1, 9]
    common = {"model_type": "gpt2", "layer_norm_epsilon": 1e-5}
    write(os.path.join(folder, "hf"), random_model(HF, 1, True), HF, tokens, 17, lambda t: t, {**common, **HF})
    write(os.path.join(folder, "nanogpt"), random_model(NANOGPT, 2, False), NANOGPT, tokens, 5, as_nanogpt,
          {**common, **NANOGPT, "bias": False})


if __name__ == "__main__":
    main()
