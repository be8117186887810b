"""Recipes: arguments of main.py that go well together, by name.

Figures are in benchmarks/quality.md, those of speed in benchmarks/README.md.

    python main.py --recipe generalize

A recipe sets defaults: an argument that is typed comes first.
"""

RECIPES = {
    # The documented defaults: learns its training sprites almost by heart.
    "default": {},
    # Samples that look like sprites. It must know them by heart, so nothing is augmented; the rest
    # comes after training: python test_vae.py --sampler neighbours --finish
    "create": {"epoch": 1000},
    # Sharp reconstructions as soon as possible: 27 dB in about 50 epochs.
    "fast": {"init": "pca", "batch_size": 64, "epoch": 70},
    # Reconstructs sprites that it has not seen.
    "generalize": {
        "augment": True,
        "init": "pca",
        "batch_size": 64,
        "lr": 2e-4,
        "min_lr": 0.0,
        "weight_decay": 1.0,
        "epoch": 1200,
    },
}
