"""GPT-2 as pytorch_baseline.py trains it: PyTorch modules with nanoGPT's names, from a file of the ladder's weights."""
import json

import safetensors
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional


class Refused(Exception):
    """Bad usage or input, in one line."""


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.heads, self.dropout = shape["n_head"], shape["dropout"]
        self.c_attn = nn.Linear(shape["n_embd"], 3 * shape["n_embd"], bias=shape["bias"])
        self.c_proj = nn.Linear(shape["n_embd"], shape["n_embd"], bias=shape["bias"])
        self.after = nn.Dropout(shape["dropout"])

    def forward(self, x_btc):
        batch, length, width = x_btc.shape
        q_bhtd, k_bhtd, v_bhtd = (part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
                                  for part in self.c_attn(x_btc).split(width, dim=2))
        y_bhtd = functional.scaled_dot_product_attention(q_bhtd, k_bhtd, v_bhtd, is_causal=True,
                                                         dropout_p=self.dropout if self.training else 0.0)
        return self.after(self.c_proj(y_bhtd.transpose(1, 2).reshape(batch, length, width)))


class Mlp(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.c_fc = nn.Linear(shape["n_embd"], 4 * shape["n_embd"], bias=shape["bias"])
        self.gelu = nn.GELU("tanh" if shape["gelu"] == "tanh" else "none")
        self.c_proj = nn.Linear(4 * shape["n_embd"], shape["n_embd"], bias=shape["bias"])
        self.after = nn.Dropout(shape["dropout"])

    def forward(self, x_btc):
        return self.after(self.c_proj(self.gelu(self.c_fc(x_btc))))


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.ln_1 = nn.LayerNorm(shape["n_embd"], eps=1e-5, bias=shape["bias"])
        self.attn = Attention(shape)
        self.ln_2 = nn.LayerNorm(shape["n_embd"], eps=1e-5, bias=shape["bias"])
        self.mlp = Mlp(shape)

    def forward(self, x_btc):
        x_btc = x_btc + self.attn(self.ln_1(x_btc))
        return x_btc + self.mlp(self.ln_2(x_btc))


class Gpt2(nn.Module):
    """Parameters have nanoGPT's names; the head is the embedding."""

    def __init__(self, shape, rows):
        super().__init__()
        self.vocabulary = shape["vocab_size"]
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(rows, shape["n_embd"]), "wpe": nn.Embedding(shape["block_size"], shape["n_embd"]),
            "drop": nn.Dropout(shape["dropout"]), "h": nn.ModuleList(Block(shape) for _ in range(shape["n_layer"])),
            "ln_f": nn.LayerNorm(shape["n_embd"], eps=1e-5, bias=shape["bias"])})

    def forward(self, tokens_bt, targets_bt):
        """The mean loss of a token."""
        parts = self.transformer
        positions_t = torch.arange(tokens_bt.shape[1], device=tokens_bt.device)
        x_btc = parts["drop"](parts["wte"](tokens_bt) + parts["wpe"](positions_t))
        for block in parts["h"]:
            x_btc = block(x_btc)
        logits_btv = functional.linear(parts["ln_f"](x_btc), parts["wte"].weight)[..., :self.vocabulary]
        return functional.cross_entropy(logits_btv.reshape(-1, self.vocabulary), targets_bt.reshape(-1))


def read_weights(path):
    """A file of the ladder's: the model's shape, the parameters in fp32, the metadata."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}
    except (safetensors.SafetensorError, OSError) as error:
        raise Refused(f"{path}: {' '.join(str(error).split())}") from error
    if "model" not in metadata:
        raise Refused(f"{path}: its metadata have no 'model': write it with ladder train --steps 0 --save-weights")
    shape = json.loads(metadata["model"])
    if shape.get("architecture") != "gpt2" or shape["n_kv_head"] != shape["n_head"]:
        raise Refused(f"{path}: its model must be GPT-2 with a key and a value to every head")
    return shape, tensors, metadata


def make_model(shape, tensors, path, padded_to):
    """`path`: where the tensors come from. The head gets a multiple of `padded_to` rows, the last of them zeros."""
    rows = -(-shape["vocab_size"] // padded_to) * padded_to
    model = Gpt2(shape, rows)
    wanted = dict(model.named_parameters())
    if different := sorted(wanted.keys() ^ tensors.keys()):
        raise Refused(f"{path}: {different[0]}: the file has it and the model has not, or the reverse")
    with torch.no_grad():
        for name, parameter in wanted.items():
            padding = rows - shape["vocab_size"] if name == "transformer.wte.weight" else 0
            stored = functional.pad(tensors[name], (0, 0, 0, padding)) if padding else tensors[name]
            if stored.shape != parameter.shape:
                raise Refused(f"{path}: {name} has the shape {list(tensors[name].shape)}")
            parameter.copy_(stored)
    return model


def save_model(model, path, metadata):
    """As the ladder writes weights, so that its commands read them. `metadata`: of the file that they come from."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.named_parameters()}
    tensors["transformer.wte.weight"] = tensors["transformer.wte.weight"][:model.vocabulary].contiguous()
    save_file(tensors, path, metadata=metadata)
