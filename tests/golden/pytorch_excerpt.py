"""Large tensors in a small file: a few of the entries, and two numbers that every entry has a part in."""

import torch

# A tensor of up to so many numbers stands whole.
WHOLE = 16
ENTRIES = 4


def excerpt(values: torch.Tensor) -> list | dict:
    """The tensor as nested lists; if it is large, what `near` of tests/python/test_pytorch.py compares it by. The
    projection, Σ x_k·cos k over the entries in rows, tells one order of the entries from another."""
    values = values.detach()
    if values.numel() <= WHOLE:
        return values.tolist()
    flat = values.flatten()
    places = [round(i * (flat.numel() - 1) / (ENTRIES - 1)) for i in range(ENTRIES)]
    k = torch.arange(flat.numel(), dtype=torch.float64)
    return {
        "excerpt_of": list(values.shape),
        "norm": torch.linalg.vector_norm(flat).item(),
        "projection": torch.dot(flat, torch.cos(k)).item(),
        "entries": [[place, flat[place].item()] for place in places],
    }
