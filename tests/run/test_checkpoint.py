import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from model import MODELS, VAE
from utils.run.checkpoint import load_model, save_weights


class Harm:
    """A pickle of this runs code when it is loaded by a careless reader."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_weights_come_back_with_their_sizes(tmp_path):
    model = VAE(12, 24, 5)
    save_weights(tmp_path / "a.pt", model)
    again = load_model(tmp_path / "a.pt")
    assert (again.input_size, again.hidden_size, again.latent_size) == (12, 24, 5)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "a.pt.sha256"]


def test_a_raw_state_dict_of_other_code_loads(tmp_path):
    state = dict(VAE(12, 24, 5).double().state_dict())
    torch.save(state, tmp_path / "other.pth")
    assert load_model(tmp_path / "other.pth").decoder[6].weight.dtype == torch.float32


def test_other_sizes_are_refused_with_the_right_ones(tmp_path):
    save_weights(tmp_path / "a.pt", VAE(12, 24, 5))
    settings = {"image_size": 12, "hidden_size": 24, "latent_size": 5}
    load_model(tmp_path / "a.pt", settings)
    with pytest.raises(ValueError, match="--image_size 12 --hidden_size 24 --latent_size 5"):
        load_model(tmp_path / "a.pt", settings | {"latent_size": 6})


def test_the_arguments_of_a_run_say_what_its_model_is(tmp_path, monkeypatch):
    class Other(VAE):
        """Another architecture, whose weights have names and shapes of their own."""

        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.more = torch.nn.Linear(2, 2)

    settings = {"model": "other", "image_size": 12, "hidden_size": 24, "latent_size": 5}
    save_weights(tmp_path / "a.pt", Other(12, 24, 5))
    with pytest.raises(ValueError, match="does not hold the weights of"):
        load_model(tmp_path / "a.pt")
    monkeypatch.setitem(MODELS, "other", Other)
    assert type(load_model(tmp_path / "a.pt", settings)) is Other


def test_names_that_wrappers_change_are_changed_back(tmp_path):
    model = VAE(8, 16, 3)
    for prefix in ("_orig_mod.", "module.", "_orig_mod.module.", "module._orig_mod.", "model."):
        state = {prefix + name: value for name, value in model.state_dict().items()}
        state["n_averaged"] = torch.tensor(3)  # as AveragedModel keeps
        torch.save(state, tmp_path / "a.pt")
        again = load_model(tmp_path / "a.pt")
        assert torch.equal(again.encoder[1].weight, model.encoder[1].weight)
    state = {n.replace(".", "._orig_mod.", 1): v for n, v in model.state_dict().items()}
    torch.save(state, tmp_path / "a.pt")  # encoder and decoder compiled one by one
    load_model(tmp_path / "a.pt")


def test_weights_inside_a_dictionary_are_named(tmp_path):
    state = VAE(8, 16, 3).state_dict()
    torch.save({"model": state, "epoch": 1, "ema": state}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="weights are under its key 'model' and 'ema'"):
        load_model(tmp_path / "a.pt")


def test_safetensors_of_the_same_keys_load(tmp_path):
    model = VAE(12, 24, 5)
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    again = load_model(tmp_path / "a.safetensors")
    assert torch.equal(again.encoder[1].weight, model.encoder[1].weight)
    (tmp_path / "a.safetensors").write_bytes(os.urandom(100))
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        load_model(tmp_path / "a.safetensors")


def test_a_flipped_bit_is_noticed_though_torch_reads_it(tmp_path):
    path = tmp_path / "a.pt"
    save_weights(path, VAE(8, 16, 3))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    torch.load(path, weights_only=True)
    with pytest.raises(ValueError, match="is damaged"):
        load_model(path)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    model = VAE(8, 16, 3)
    model.decoder[0].bias.data[3] = torch.inf
    with pytest.raises(FloatingPointError):
        save_weights(tmp_path / "a.pt", model)
    assert os.listdir(tmp_path) == []


def test_what_is_no_checkpoint_is_refused_and_nothing_runs(tmp_path):
    state = VAE(8, 16, 3).state_dict()
    save_weights(tmp_path / "whole.pt", VAE(8, 16, 3))
    whole = (tmp_path / "whole.pt").read_bytes()
    bad = {
        "random.pt": os.urandom(1000),
        "empty.pt": b"",
        "short.pt": whole[: len(whole) // 2],
        "pickle.pt": pickle.dumps(Harm(tmp_path / "harmed")),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    torch.save({"a": Harm(tmp_path / "harmed")}, tmp_path / "code.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"model": state}, tmp_path / "nested.pt")
    torch.save({k: v for k, v in state.items() if k != "encoder.3.bias"}, tmp_path / "keys.pt")
    torch.save(state | {"extra": torch.zeros(1)}, tmp_path / "more.pt")
    torch.save(state | {"encoder.3.bias": torch.zeros(7)}, tmp_path / "shapes.pt")
    torch.save(state | {"encoder.1.weight": torch.zeros(16)}, tmp_path / "flat.pt")
    torch.save(state | {"encoder.1.weight": torch.zeros(16, 100)}, tmp_path / "square.pt")
    torch.save(state | {"encoder.3.bias": torch.full((16,), torch.nan)}, tmp_path / "nan.pt")
    paths = [path for path in tmp_path.iterdir() if not path.name.startswith("whole.pt")]
    assert len(paths) == 13
    for path in [*paths, tmp_path / "missing.pt", tmp_path]:
        with pytest.raises(ValueError) as error:
            load_model(path)
        assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert not (tmp_path / "harmed").exists()
