"""A table: train on it, look at the scores, save the model, and predict a row that is new."""

import tempfile
from pathlib import Path

import netwright

PENGUINS = Path(__file__).parent / "penguins.csv"

model = netwright.train_table(PENGUINS, "species", drop=["year"])
print(model)
print(model.summary())

new = {  # columns by name; None is a missing value
    "island": ["Dream", "Biscoe"],
    "bill_length_mm": [49.2, None],
    "bill_depth_mm": [18.2, 14.5],
    "flipper_length_mm": [195, 215],
    "body_mass_g": [4400, 5200],
    "sex": ["male", None],
}
with tempfile.TemporaryDirectory() as directory:
    path = Path(directory) / "penguins.safetensors"
    model.save(path)
    loaded = netwright.load(path)
for species, probabilities in zip(loaded.predict(new), loaded.predict_proba(new), strict=True):
    print(species, dict(zip(loaded.target.classes, probabilities.round(3).tolist(), strict=True)))
