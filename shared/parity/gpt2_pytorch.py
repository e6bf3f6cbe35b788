#!/usr/bin/env python3
"""What PyTorch makes of a GPT-2: the other program of `ladder compare --with pytorch`.

usage: python3 gpt2_pytorch.py REQUEST ANSWER

REQUEST is JSON: the weights' file, the model's sizes, a prompt and how many tokens to generate after it, and the tokens
whose logits are asked for. ANSWER, likewise: these logits in fp64, the prompt with its greedy continuation, and who
computed it.
The weights are read from the file itself, so that reading them is compared, too. Says "done", or on one line what is
missing or wrong.
"""
import json
import sys

CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def bare(name):
    for prefix in ("_orig_mod.", "transformer."):
        name = name.removeprefix(prefix)
    return name


def model_of(request, torch, transformers, load_file):
    sizes = request["model"]
    config = transformers.GPT2Config(
        n_layer=sizes["n_layer"], n_head=sizes["n_head"], n_embd=sizes["n_embd"], n_positions=sizes["block_size"],
        vocab_size=sizes["vocab_size"], activation_function="gelu_new" if sizes["gelu"] == "tanh" else "gelu",
        layer_norm_epsilon=1e-5, bos_token_id=None, eos_token_id=None, attn_implementation="eager")
    model = transformers.GPT2LMHeadModel(config).double().eval()
    stored = {bare(name): value for name, value in load_file(request["weights"]).items()}
    width = sizes["n_embd"]
    turned = tuple(stored["h.0.attn.c_attn.weight"].shape) == (width, 3 * width)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = stored.get(bare(name))
            if value is None:
                if not name.endswith(".bias"):
                    raise KeyError(name)
                value = torch.zeros_like(parameter)
            elif name.endswith(CONV1D) and not turned:
                value = value.t()
            if value.shape != parameter.shape:
                raise ValueError(f"{name} has the shape {list(value.shape)}, not {list(parameter.shape)}")
            parameter.copy_(value.double())
    return model


def greedy(model, tokens, count, block, torch):
    """As nanoGPT generates, with a cache until the block is full: then the model sees the last `block` tokens."""
    tokens, cache, fed = list(tokens), None, 0
    for _ in range(count):
        if len(tokens) <= block:
            out = model(torch.tensor([tokens[fed:]]), past_key_values=cache, use_cache=True)
            cache, fed = out.past_key_values, len(tokens)
        else:
            out = model(torch.tensor([tokens[-block:]]), use_cache=False)
        tokens.append(int(out.logits[0, -1].argmax()))
    return tokens


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    try:
        import torch
        import transformers
        from safetensors.torch import load_file
    except ImportError as error:
        print(f"python3 has no module {error.name}")
        return
    try:
        model = model_of(request, torch, transformers, load_file)
        with torch.no_grad():
            logits = model(torch.tensor([request["tokens"]])).logits[0].tolist()
            text = greedy(model, request["prompt"], request["max_tokens"],
                          request["model"]["block_size"], torch)
    except Exception as error:
        print(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        return
    with open(sys.argv[2], "w") as file:
        json.dump({"logits": logits, "greedy": text,
                   "version": f"PyTorch {torch.__version__}, transformers {transformers.__version__}"}, file)
    print("done")


if __name__ == "__main__":
    main()
