#!/usr/bin/env python3
"""Turns a checkpoint of nanoGPT into weights that `ladder` reads.

usage: python3 stage4_nanogpt/export_nanogpt.py CKPT --out FOLDER [--meta META]

CKPT is nanoGPT's ckpt.pt; META is the meta.pkl of a character data set, which gives the tokens their text. FOLDER
gets model.safetensors (the parameters under nanoGPT's names, the characters in its metadata) and config.json (the
sizes). Then: ./ladder sample --weights FOLDER

Needs torch and safetensors. Exit codes as ladder's: 0 done, 2 bad input, 3 a library is missing.
"""
import argparse
import json
import os
import pickle
import sys

SIZES = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")


class BadInput(Exception):
    pass


class PlainUnpickler(pickle.Unpickler):
    """Loads tables of numbers and texts, and no object whose making could run code."""

    def find_class(self, module, name):
        raise BadInput(f"it holds an object of {module}.{name}, not just tables of characters")


def read_characters(path):
    """The characters of a meta.pkl in the order of their tokens."""
    try:
        with open(path, "rb") as file:
            meta = PlainUnpickler(file).load()
        table = [meta["itos"][token] for token in range(meta["vocab_size"])]
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except Exception as error:
        raise BadInput(f"{path}: is no meta.pkl of characters ({type(error).__name__}: {error})") from None
    if not all(isinstance(text, str) and len(text) == 1 for text in table) or table != sorted(set(table)):
        raise BadInput(f"{path}: its tokens are not single characters in order of code point")
    return "".join(table)


def read_checkpoint(path, torch):
    """(sizes, parameters) of a ckpt.pt, without the prefix that torch.compile puts in front of names."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        sizes = dict(checkpoint["model_args"])
        sizes = {name: int(sizes[name]) for name in SIZES} | {"bias": bool(sizes["bias"])}
        state = {name.removeprefix("_orig_mod."): value for name, value in checkpoint["model"].items()}
    except Exception as error:
        first_line = str(error).splitlines()[0] if str(error) else ""
        raise BadInput(f"{path}: is no checkpoint of nanoGPT ({type(error).__name__}: {first_line})") from None
    # The head is the embedding, and masks are no parameters. clone(): safetensors wants no memory shared.
    return sizes, {name: value.detach().clone().contiguous() for name, value in state.items()
                   if name != "lm_head.weight" and not name.endswith((".attn.bias", ".attn.masked_bias"))}


def config_of(sizes):
    return {"model_type": "gpt2", "n_layer": sizes["n_layer"], "n_head": sizes["n_head"], "n_embd": sizes["n_embd"],
            "n_positions": sizes["block_size"], "vocab_size": sizes["vocab_size"], "bias": sizes["bias"],
            "activation_function": "gelu", "layer_norm_epsilon": 1e-5}


def write_whole(path, write):
    """write(temporary path), then the name: what is cut short never stands under it."""
    try:
        write(path + ".tmp")
        os.replace(path + ".tmp", path)
    finally:
        if os.path.exists(path + ".tmp"):
            os.remove(path + ".tmp")


def write_json(path, content):
    with open(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def export(arguments):
    metadata = {"format": "pt"}
    if arguments.meta:
        metadata["tokenizer"] = json.dumps({"characters": read_characters(arguments.meta), "bos": False})
    if not os.path.isfile(arguments.ckpt):
        raise BadInput(f"{arguments.ckpt}: cannot be read: give the path of a ckpt.pt")
    import torch
    from safetensors.torch import save_file
    sizes, tensors = read_checkpoint(arguments.ckpt, torch)
    os.makedirs(arguments.out, exist_ok=True)
    weights = os.path.join(arguments.out, "model.safetensors")
    write_whole(weights, lambda path: save_file(tensors, path, metadata=metadata))
    write_whole(os.path.join(arguments.out, "config.json"), lambda path: write_json(path, config_of(sizes)))
    print(f"{weights}: {sum(value.numel() for value in tensors.values())} parameters; "
          f"./ladder sample --weights {arguments.out}")


def main():
    parser = argparse.ArgumentParser(description="a checkpoint of nanoGPT as weights that ladder reads")
    parser.add_argument("ckpt", metavar="CKPT", help="nanoGPT's ckpt.pt")
    parser.add_argument("--out", metavar="FOLDER", required=True,
                        help="where model.safetensors and config.json go")
    parser.add_argument("--meta", metavar="META", help="meta.pkl of a character data set")
    try:
        export(parser.parse_args())
    except BadInput as error:
        print(f"export_nanogpt: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"export_nanogpt: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"export_nanogpt: {error.name} is missing: python3 -m pip install torch safetensors", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
